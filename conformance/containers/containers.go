package containers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/testcontainers/testcontainers-go"
)

const (
	// startTimeout bounds the start of a container, the download of its image included.
	startTimeout = 3 * time.Minute
	stopTimeout  = 30 * time.Second

	requiredVariable = "CLEAT_TEST_REQUIRED"
)

// shared are the containers that all tests of the process use: a container takes a second to start, and tests have no
// common owner but the process.
var shared registry

// registry starts each service once and removes everything at the end.
type registry struct {
	mu       sync.Mutex
	services map[string]*sharedService
}

type sharedService struct {
	url  string
	err  error
	stop func(context.Context) error
}

// get returns the URL of a service, which it starts if it was not asked for before.
func (r *registry) get(name string, start func() (string, func(context.Context) error, error)) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.services == nil {
		r.services = map[string]*sharedService{}
	}
	service := r.services[name]
	if service == nil {
		service = &sharedService{}
		service.url, service.stop, service.err = start()
		r.services[name] = service
	}
	return service.url, service.err
}

// stopAll removes all containers.
func (r *registry) stopAll() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	var errs []error
	for name, service := range r.services {
		if service.stop == nil {
			continue
		}
		if err := service.stop(ctx); err != nil {
			errs = append(errs, fmt.Errorf("containers: removing %s: %w", name, err))
		}
	}
	r.services = nil
	return errors.Join(errs...)
}

// TestRunner is the part of *testing.M that runs tests.
type TestRunner interface{ Run() int }

// WithCleanup returns a TestRunner that runs the tests of m and then removes the containers that they shared. A container
// that cannot be removed fails the run.
func WithCleanup(m TestRunner) TestRunner { return runner{m, &shared} }

// Run runs the tests of m, removes the containers that they shared, and returns the exit code for os.Exit.
func Run(m TestRunner) int { return WithCleanup(m).Run() }

type runner struct {
	tests    TestRunner
	services *registry
}

// Run implements TestRunner.
func (r runner) Run() int {
	code := r.tests.Run()
	if err := r.services.stopAll(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return max(code, 1)
	}
	return code
}

// BackgroundFunctions returns the functions that testcontainers-go leaves running until the process ends, for
// goleak.IgnoreTopFunction: the connection to the container that removes the others if the process is killed.
func BackgroundFunctions() []string {
	return []string{"github.com/testcontainers/testcontainers-go.(*Reaper).connect.func1"}
}

// required reports whether the environment demands the service.
func required(service string) bool {
	names := strings.Split(os.Getenv(requiredVariable), ",")
	return slices.ContainsFunc(names, func(name string) bool { return strings.TrimSpace(name) == service })
}

// checkDocker returns an error unless a Docker daemon answers.
func checkDocker(ctx context.Context) (err error) {
	defer func() {
		// Without any trace of Docker on the machine, the library panics instead of returning an error.
		if r := recover(); r != nil {
			err = fmt.Errorf("no Docker: %v", r)
		}
	}()
	provider, err := testcontainers.NewDockerProvider()
	if err != nil {
		return fmt.Errorf("no Docker: %w", err)
	}
	defer func() { err = errors.Join(err, provider.Close()) }()
	if err := provider.Health(ctx); err != nil {
		return fmt.Errorf("no Docker: %w", err)
	}
	// The library tries other addresses if that one does not answer, which the one who set it would not expect.
	if wanted := os.Getenv("DOCKER_HOST"); wanted != "" && provider.Client().DaemonHost() != wanted {
		return fmt.Errorf("no Docker at the address in DOCKER_HOST, %s", wanted)
	}
	return nil
}
