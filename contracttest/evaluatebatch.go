package main

import (
	"context"
	"fmt"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
)

// evaluateBatch evaluates flags again and again, and measures how long that takes.
type evaluateBatch struct {
	subject
	Evaluations []evaluate `json:"evaluations"`
	Iterations  int        `json:"iterations"` // of each evaluation, at least 1
}

// measured is the last value of an evaluation, and how long all iterations took together, the fastest and the slowest.
type measured struct {
	Value   ldvalue.Value `json:"value"`
	TotalNs int64         `json:"totalNs"`
	MinNs   int64         `json:"minNs"`
	MaxNs   int64         `json:"maxNs"`
}

func (b *evaluateBatch) run(ctx context.Context, c *client) (any, error) {
	subject, err := b.parse()
	if err == nil && b.Iterations < 1 {
		err = fmt.Errorf("%w: %d iterations", errBadRequest, b.Iterations)
	}
	if err != nil {
		return nil, err
	}
	results := make([]measured, len(b.Evaluations))
	for i := range b.Evaluations {
		results[i] = measure(b.Evaluations[i].prepare(ctx, c, subject), b.Iterations)
	}
	return map[string]any{"results": results}, nil
}

func measure(evaluate func() ldvalue.Value, iterations int) (m measured) {
	for i := range iterations {
		began := time.Now()
		m.Value = evaluate()
		took := time.Since(began).Nanoseconds()
		m.TotalNs += took
		if i == 0 || took < m.MinNs {
			m.MinNs = took
		}
		m.MaxNs = max(m.MaxNs, took)
	}
	return m
}
