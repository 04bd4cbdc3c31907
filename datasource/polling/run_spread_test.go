package polling_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/datasource/polling"
	"github.com/cleatdev/cleat/internal/mockservice"
)

// Clients that are deployed together begin together, and a failure of the service meets all of them.
func TestSource_Interval_ClientsThatBeganTogetherDriftApart(t *testing.T) {
	for name, answer := range map[string]func(*mockservice.Service){
		"while all is well": func(*mockservice.Service) {},
		"after failures": func(s *mockservice.Service) {
			for range 1000 {
				s.Next(mockservice.PollPath, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const clients, interval = 30, 30 * time.Second
				service := mockservice.New(t)
				service.SetData(flagData(1))
				var sources []core.UpdateProcessor
				for range clients {
					source, err := polling.Source(polling.Options{})(service.Settings(), mockservice.NewSink())
					require.NoError(t, err)
					source.Start(t.Context())
					sources = append(sources, source)
				}
				pass(time.Second)
				require.Len(t, service.Requests(mockservice.PollPath), clients, "they begin together")
				answer(service)
				pass(10 * interval)
				seconds := map[int64]int{}
				for _, request := range service.Requests(mockservice.PollPath) {
					if time.Since(request.Time) < interval {
						seconds[request.Time.Unix()]++
					}
				}
				require.Greater(t, len(seconds), 5, seconds)
				for _, source := range sources {
					source.Stop()
					<-source.Done()
				}
			})
		})
	}
}
