package fdv2

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"unicode/utf8"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/flagservice"
	"github.com/cleatdev/cleat/internal/itemjson"
)

// answer is the answer to a poll.
type answer struct {
	Events []polledEvent `json:"events"`
}

type polledEvent struct {
	Name string          `json:"event"`
	Data json.RawMessage `json:"data"`
}

// scanAnswer reads an answer that is ordinary in one pass, several times as fast. The data is a part of it. Where ok is false, nothing
// is known.
func scanAnswer(body []byte) (events []polledEvent, ok bool) {
	s := itemjson.NewScanner(body)
	for more := s.Object(); more; more = s.NextMember() {
		if s.Name() != "events" || events != nil {
			return nil, false
		}
		for more := s.List(); more; more = s.NextElement() {
			event, ok := scanEvent(&s)
			if !ok {
				return nil, false
			}
			events = append(events, event)
		}
	}
	return events, s.End() && utf8.Valid(body)
}

func scanEvent(s *itemjson.Scanner) (event polledEvent, ok bool) {
	for more := s.Object(); more; more = s.NextMember() {
		switch s.Name() {
		case "event":
			event.Name = s.Text()
		case "data":
			event.Data = s.Value()
		default:
			return polledEvent{}, false
		}
	}
	return event, !s.Failed()
}

// ReadPoll reads the answer to a poll, which has the events of one payload. The error, which wraps [flagservice.ErrInvalidData], says why
// there is no change set; a goodbye is returned with it if the answer has one.
func ReadPoll(body []byte, logger *slog.Logger) (*core.ChangeSet, *Goodbye, error) {
	var answer answer
	if events, ok := scanAnswer(body); ok {
		answer.Events = events
	} else if err := decode("poll", body, &answer); err != nil {
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
