package main

import (
	"context"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldmigration"

	"github.com/cleatdev/cleat/migrations"
)

type migrationVariation struct {
	Key          string            `json:"key"`
	Context      ldcontext.Context `json:"context"`
	DefaultStage ldmigration.Stage `json:"defaultStage"`
}

func (m *migrationVariation) run(ctx context.Context, c *client) any {
	stage, _ := c.MigrationVariation(ctx, m.Key, m.Context, m.DefaultStage)
	return map[string]ldmigration.Stage{"result": stage}
}

type migrationOperation struct {
	Key                string                `json:"key"`
	Context            ldcontext.Context     `json:"context"`
	DefaultStage       ldmigration.Stage     `json:"defaultStage"`
	ReadExecutionOrder string                `json:"readExecutionOrder"`
	Operation          ldmigration.Operation `json:"operation"`
	OldEndpoint        string                `json:"oldEndpoint"`
	NewEndpoint        string                `json:"newEndpoint"`
	Payload            string                `json:"payload"`
	TrackLatency       bool                  `json:"trackLatency"`
	TrackErrors        bool                  `json:"trackErrors"`
	TrackConsistency   bool                  `json:"trackConsistency"`
}

// run carries out one operation of a migration between two endpoints of the suite. The suite wants the result, or the
// error's text, of the authoritative origin.
func (m *migrationOperation) run(ctx context.Context, c *client) (any, error) {
	migrator, err := m.migrator(c)
	if err != nil {
		return nil, err
	}
	var result migrations.OperationResult[string]
	if m.Operation == ldmigration.Read {
		result = migrator.Read(ctx, m.Key, m.Context, m.DefaultStage, m.Payload)
	} else {
		result = migrator.Write(ctx, m.Key, m.Context, m.DefaultStage, m.Payload).Authoritative
	}
	text := result.Value
	if result.Err != nil {
		text = result.Err.Error()
	}
	return map[string]string{"result": text}, nil
}

func (m *migrationOperation) migrator(c *client) (*migrations.Migrator[string, string], error) {
	order, err := migrations.ParseExecutionOrder(m.ReadExecutionOrder)
	if err != nil {
		return nil, err
	}
	config := migrations.Config[string, string]{
		ReadOld: callEndpoint(m.OldEndpoint), ReadNew: callEndpoint(m.NewEndpoint),
		WriteOld: callEndpoint(m.OldEndpoint), WriteNew: callEndpoint(m.NewEndpoint),
		ReadExecutionOrder:     order,
		DisableLatencyTracking: !m.TrackLatency,
		DisableErrorTracking:   !m.TrackErrors,
	}
	if m.TrackConsistency {
		config.Compare = func(fromOld, fromNew string) bool { return fromOld == fromNew }
	}
	return migrations.New(c, config)
}

func callEndpoint(uri string) func(context.Context, string) (string, error) {
	return func(ctx context.Context, payload string) (string, error) {
		answer, err := post(ctx, uri, "text/plain", []byte(payload))
		return string(answer), err
	}
}
