package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
)

// callBack posts parameters to the suite and decodes the answer into result unless that is nil.
func callBack(ctx context.Context, uri string, parameters, result any) error {
	body, err := json.Marshal(parameters)
	if err != nil {
		return err
	}
	answer, err := post(ctx, uri, "application/json", body)
	if err != nil || result == nil {
		return err
	}
	return json.Unmarshal(answer, result)
}

// post returns the answer's body; an answer that is not 2xx is an error that consists of its body.
func post(ctx context.Context, uri, contentType string, body []byte) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, uri, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", contentType)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	if response.StatusCode < 200 || response.StatusCode > 299 {
		return nil, fmt.Errorf("the suite answered %s: %s", response.Status, answer)
	}
	return answer, nil
}
