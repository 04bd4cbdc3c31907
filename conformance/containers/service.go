package containers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"
)

const (
	// A server that runs already answers at once, one in a new container when it has started.
	runningPatience  = time.Second
	startingPatience = 30 * time.Second
)

// service is a kind of server.
type service struct {
	name     string // by which CLEAT_TEST_REQUIRED demands it
	product  string
	advice   string // what to do if it cannot be reached
	variable string // the environment variable that names a server that runs already

	imageVariable, defaultImage string
}

// starter starts servers, and returns where they are and what removes them.
type starter func() (url string, remove func(context.Context) error, err error)

// shareServer returns the URL of the server that the environment names, or else of one that start has started, once for all
// tests of the process. If there is none, it ends the test.
func (s service) shareServer(t testing.TB, ping func(url string, patience time.Duration) error, start starter) string {
	t.Helper()
	return s.share(t, s.name, func() (string, func(context.Context) error, error) {
		if url := os.Getenv(s.variable); url != "" {
			return url, nil, ping(url, runningPatience)
		}
		return start()
	})
}

// share returns the URL of what start has started, once for all tests of the process. If that failed, it ends the test.
func (s service) share(t testing.TB, name string, start starter) (url string) {
	t.Helper()
	url, err := shared.get(name, start)
	if err != nil {
		s.unreachable(t, err)
	}
	return url
}

// own ends the test if its servers did not start, and sees that they are removed if they did.
func (s service) own(t testing.TB, remove func(context.Context) error, err error) {
	t.Helper()
	switch {
	case err != nil && os.Getenv(s.variable) != "":
		t.Skipf("containers: the test needs a %s server of its own besides %s: %v", s.product, s.variable, err)
	case err != nil:
		s.unreachable(t, err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
		defer cancel()
		if err := remove(ctx); err != nil {
			t.Errorf("containers: removing %s: %v", s.name, err)
		}
	})
}

// unreachable ends a test whose service is not there.
func (s service) unreachable(t testing.TB, err error) {
	t.Helper()
	if required(s.name) {
		t.Fatalf("containers: %s is named in %s and cannot be reached: %v; %s", s.name, requiredVariable, err, s.advice)
	}
	t.Skipf("containers: %s cannot be reached: %v; %s", s.name, err, s.advice)
}

// launch starts a container, and waits for no more than the customizers say.
func (s service) launch(customizers ...testcontainers.ContainerCustomizer) (*testcontainers.DockerContainer, error) {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	if err := checkDocker(ctx); err != nil {
		return nil, err
	}
	image := os.Getenv(s.imageVariable)
	if image == "" {
		image = s.defaultImage
	}
	ctr, err := testcontainers.Run(ctx, image, customizers...)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("starting image %s: %w", image, err), terminate(ctr))
	}
	return ctr, nil
}

// stop stops the server in a container at once.
func (s service) stop(t testing.TB, ctr testcontainers.Container) {
	t.Helper()
	var now time.Duration
	if err := ctr.Stop(context.Background(), &now); err != nil {
		t.Fatalf("containers: stopping %s: %v", s.name, err)
	}
}

// restart starts a server that has been stopped, and waits until it answers.
func (s service) restart(t testing.TB, ctr testcontainers.Container, await func(patience time.Duration) error) {
	t.Helper()
	err := ctr.Start(context.Background())
	if err == nil {
		err = await(startingPatience)
	}
	if err != nil {
		t.Fatalf("containers: starting %s again: %v", s.name, err)
	}
}

// pause stops the processes in a container, or has them go on. The server accepts connections meanwhile, and never answers.
func (s service) pause(t testing.TB, ctr testcontainers.Container, paused bool) {
	t.Helper()
	ctx := context.Background()
	docker, err := testcontainers.NewDockerClientWithOpts(ctx)
	if err == nil {
		defer func() { _ = docker.Close() }()
		if paused {
			_, err = docker.ContainerPause(ctx, ctr.GetContainerID(), client.ContainerPauseOptions{})
		} else {
			_, err = docker.ContainerUnpause(ctx, ctr.GetContainerID(), client.ContainerUnpauseOptions{})
		}
	}
	if err != nil {
		t.Fatalf("containers: pausing %s, or ending the pause: %v", s.name, err)
	}
}
