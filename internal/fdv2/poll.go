package fdv2

import (
	"encoding/json"
	"fmt"
	"log/slog"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/flagservice"
)

// ReadPoll reads the answer to a poll, which has the events of one payload. The error, which wraps [flagservice.ErrInvalidData], says why
// there is no change set; a goodbye is returned with it if the answer has one.
func ReadPoll(body []byte, logger *slog.Logger) (*core.ChangeSet, *Goodbye, error) {
	var answer struct {
		Events []struct {
			Name string          `json:"event"`
			Data json.RawMessage `json:"data"`
		} `json:"events"`
	}
	if err := decode("poll", body, &answer); err != nil {
		return nil, nil, err
	}
	reader := NewReader(logger, int64(len(body)))
	var payload *core.ChangeSet
	discarded := ""
	for _, event := range answer.Events {
		message, err := reader.Read(event.Name, event.Data)
		switch {
		case err != nil:
			return nil, nil, err
		case message.Goodbye != nil:
			return nil, message.Goodbye, fmt.Errorf("%w: the answer to the poll ends with a goodbye: %.200s", flagservice.ErrInvalidData, message.Goodbye.Reason)
		case message.Discarded != "":
			payload, discarded = nil, ", "+message.Discarded
		case message.ChangeSet != nil && payload != nil && payload.Type != core.ChangeSetNone:
			return nil, nil, fmt.Errorf("%w: the answer to the poll has more than one payload", flagservice.ErrInvalidData)
		case message.ChangeSet != nil:
			payload = message.ChangeSet
		}
	}
	if payload == nil {
		return nil, nil, fmt.Errorf("%w: the answer to the poll has no complete payload%s", flagservice.ErrInvalidData, discarded)
	}
	return payload, nil, nil
}
