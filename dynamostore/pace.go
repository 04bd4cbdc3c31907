package dynamostore

import (
	"math/rand/v2"
	"time"
)

const (
	// longestInterval is how rarely a shard is asked at most if the service is throttling. It is far below the 15 minutes for
	// which a position in a shard can be used.
	longestInterval = time.Minute

	// recoveryTime is how long it takes to come back to the interval that is wanted from never asking at all.
	recoveryTime = 5 * time.Minute
)

// pace is how often one shard is asked. The service answers so many questions per shard, whoever asks. All who follow a stream
// halve their rate when they are refused, and otherwise raise it by the same amount per second, and so come to share what
// there is evenly.
type pace struct {
	shortest time.Duration
	now      time.Duration
}

// next returns how long to wait before the next question; more says that there is probably more to read.
func (p *pace) next(more bool) time.Duration {
	const spread = 4 // the delay is off by up to an eighth, so that those who share a shard do not all ask at once
	d := p.now
	if more {
		d /= 2
	}
	return d - d/(2*spread) + rand.N(d/spread+1)
}

func (p *pace) slower() { p.now = max(min(2*p.now, longestInterval), p.shortest) }

// faster is called once in an interval, during which the rate may rise by a part of that wanted: by the interval's part of the
// time that recovery takes.
func (p *pace) faster() {
	now, wanted := p.now.Seconds(), p.shortest.Seconds()
	rate := 1/now + now/recoveryTime.Seconds()/wanted
	p.now = max(time.Duration(float64(time.Second)/rate), p.shortest)
}
