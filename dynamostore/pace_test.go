package dynamostore

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestPace_Next_IsNearTheInterval(t *testing.T) {
	p := pace{shortest: 80 * time.Millisecond, now: 80 * time.Millisecond}
	for range 1000 {
		d := p.next(false)
		require.GreaterOrEqual(t, d, 70*time.Millisecond)
		require.LessOrEqual(t, d, 90*time.Millisecond)
		d = p.next(true)
		require.GreaterOrEqual(t, d, 35*time.Millisecond)
		require.LessOrEqual(t, d, 45*time.Millisecond)
	}
	nothing := pace{shortest: 1, now: 1}
	require.LessOrEqual(t, nothing.next(true), time.Nanosecond)
}

// Those who are throttled slow down to the limit, and recover little by little to their interval.
func TestPace_SlowerAndFaster_StayInBounds(t *testing.T) {
	p := pace{shortest: time.Second, now: time.Second}
	for want := 2 * time.Second; want < longestInterval; want *= 2 {
		p.slower()
		require.Equal(t, want, p.now)
	}
	p.slower()
	p.slower()
	require.Equal(t, longestInterval, p.now)
	for elapsed := time.Duration(0); p.now > time.Second; elapsed += p.now {
		before := p.now
		p.faster()
		require.Less(t, p.now, before)
		require.Less(t, elapsed, recoveryTime)
	}
	p.faster()
	require.Equal(t, time.Second, p.now)

	rare := pace{shortest: time.Hour, now: time.Hour}
	rare.slower()
	require.Equal(t, time.Hour, rare.now, "never more often than wanted")
}

// Any number of watches that share what the service allows come to share it evenly, with few refusals.
func TestPace_ManyWatches_ShareTheLimit(t *testing.T) {
	const watches, perSecond, seconds = 20, 5, 3600
	paces, due := make([]pace, watches), make([]time.Duration, watches)
	for i := range paces {
		paces[i] = pace{shortest: time.Second, now: time.Second}
	}
	answered, refused := make([]int, watches), 0
	tokens, filled := float64(perSecond), time.Duration(0)
	for {
		next := 0
		for i := range due {
			if due[i] < due[next] {
				next = i
			}
		}
		now := due[next]
		if now > seconds*time.Second {
			break
		}
		tokens = min(perSecond, tokens+(now-filled).Seconds()*perSecond)
		filled = now
		if tokens >= 1 {
			tokens--
			answered[next]++
			paces[next].faster()
		} else {
			refused++
			paces[next].slower()
		}
		due[next] += paces[next].next(false)
	}
	total := 0
	for _, n := range answered {
		total += n
		require.Greater(t, n, perSecond*seconds/watches/2, "the share of each: %v", answered)
	}
	t.Logf("answered %d of %d, refused %d", total, perSecond*seconds, refused)
	require.Less(t, refused, total/4)
}
