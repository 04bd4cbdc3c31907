package main

import (
	"encoding/json"
	"fmt"

	"github.com/launchdarkly/go-sdk-common/v3/ldattr"
	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
)

// contextResult is a context as JSON, or why there is none.
type contextResult struct {
	Output string `json:"output,omitempty"`
	Error  string `json:"error,omitempty"`
}

func resultOf(built ldcontext.Context) contextResult {
	output, err := json.Marshal(built)
	if err != nil {
		return contextResult{Error: err.Error()}
	}
	return contextResult{Output: string(output)}
}

type contextBuild struct {
	Single *singleContext  `json:"single"`
	Multi  []singleContext `json:"multi"`
}

type singleContext struct {
	Kind      string                   `json:"kind"`
	Key       string                   `json:"key"`
	Name      *string                  `json:"name"`
	Anonymous bool                     `json:"anonymous"`
	Private   []string                 `json:"private"`
	Custom    map[string]ldvalue.Value `json:"custom"`
}

func (b *contextBuild) run() contextResult {
	if b.Single != nil {
		return resultOf(b.Single.build())
	}
	builder := ldcontext.NewMultiBuilder()
	for i := range b.Multi {
		builder.Add(b.Multi[i].build())
	}
	return resultOf(builder.Build())
}

func (s *singleContext) build() ldcontext.Context {
	builder := ldcontext.NewBuilder(s.Key).Kind(ldcontext.Kind(s.Kind)).Anonymous(s.Anonymous).Private(s.Private...)
	if s.Name != nil {
		builder.Name(*s.Name)
	}
	for name, value := range s.Custom {
		builder.SetValue(name, value)
	}
	return builder.Build()
}

type contextConvert struct {
	Input string `json:"input"`
}

func (c *contextConvert) run() contextResult {
	var converted ldcontext.Context
	if err := json.Unmarshal([]byte(c.Input), &converted); err != nil {
		return contextResult{Error: err.Error()}
	}
	return resultOf(converted)
}

type contextComparison struct {
	Context1 comparedContext `json:"context1"`
	Context2 comparedContext `json:"context2"`
}

type comparedContext struct {
	Single *comparedSingle  `json:"single"`
	Multi  []comparedSingle `json:"multi"`
}

type comparedSingle struct {
	Kind       string `json:"kind"`
	Key        string `json:"key"`
	Attributes []struct {
		Name  string        `json:"name"`
		Value ldvalue.Value `json:"value"`
	} `json:"attributes"`
	PrivateAttributes []struct {
		Value   string `json:"value"`
		Literal bool   `json:"literal"`
	} `json:"privateAttributes"`
}

func (c *contextComparison) run() (any, error) {
	first, second := c.Context1.build(), c.Context2.build()
	for _, built := range []ldcontext.Context{first, second} {
		if err := built.Err(); err != nil {
			return nil, fmt.Errorf("%w: %w", errBadRequest, err)
		}
	}
	return map[string]bool{"equals": first.Equal(second)}, nil
}

func (c *comparedContext) build() ldcontext.Context {
	if c.Single != nil {
		return c.Single.build()
	}
	builder := ldcontext.NewMultiBuilder()
	for i := range c.Multi {
		builder.Add(c.Multi[i].build())
	}
	return builder.Build()
}

func (s *comparedSingle) build() ldcontext.Context {
	builder := ldcontext.NewBuilder(s.Key).Kind(ldcontext.Kind(s.Kind))
	for _, attribute := range s.Attributes {
		builder.SetValue(attribute.Name, attribute.Value)
	}
	for _, private := range s.PrivateAttributes {
		if private.Literal {
			builder.PrivateRef(ldattr.NewLiteralRef(private.Value))
		} else {
			builder.Private(private.Value)
		}
	}
	return builder.Build()
}
