package containers

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// childVariable is set in processes that these tests start to run TestChild.
const childVariable = "CLEAT_TEST_CHILD"

func TestMain(m *testing.M) {
	var options []goleak.Option
	for _, function := range BackgroundFunctions() {
		options = append(options, goleak.IgnoreTopFunction(function))
	}
	goleak.VerifyTestMain(WithCleanup(m), options...)
}

func ping(t *testing.T, url string) error {
	t.Helper()
	options, err := redis.ParseURL(url)
	require.NoError(t, err)
	options.DialerRetries, options.MaxRetries = 1, -1
	client := redis.NewClient(options)
	defer func() { require.NoError(t, client.Close()) }()
	return client.Ping(t.Context()).Err()
}

// All tests share one server, and it answers.
func TestRedis_IsShared(t *testing.T) {
	url := Redis(t)
	require.NoError(t, ping(t, url))
	require.Equal(t, url, Redis(t))
}

// A server of the test's own takes arguments, and has the same address after a restart.
func TestStartRedis_StopsAndStarts(t *testing.T) {
	shared, server := Redis(t), StartRedis(t, "--requirepass", "pw")
	require.NotEqual(t, shared, server.URL)
	require.True(t, redis.IsAuthError(ping(t, server.URL)))
	withPassword := "redis://:pw@" + server.Address
	require.NoError(t, ping(t, withPassword))
	server.Stop(t)
	require.Error(t, ping(t, withPassword))
	server.Start(t)
	require.NoError(t, ping(t, withPassword))
}

// A server that is paused accepts connections and answers when it goes on.
func TestRedisServer_Pause_AnswersLater(t *testing.T) {
	server := StartRedis(t)
	server.Pause(t)
	paused := time.AfterFunc(300*time.Millisecond, func() { server.Unpause(t) })
	begin := time.Now()
	require.NoError(t, ping(t, server.URL))
	require.False(t, paused.Stop(), "a paused server answered after %v", time.Since(begin))
}

// TestChild is what the processes started by runChild run.
func TestChild(t *testing.T) {
	if os.Getenv(childVariable) == "" {
		return
	}
	t.Log("url " + Redis(t))
}

// runChild runs TestChild in a process with other variables, and returns what it printed.
func runChild(t *testing.T, variables ...string) (output string, failed bool) {
	t.Helper()
	command := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestChild$", "-test.v", "-test.count=1")
	command.Env = append(os.Environ(), append(variables, childVariable+"=1")...)
	var printed bytes.Buffer
	command.Stdout, command.Stderr = &printed, &printed
	err := command.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return printed.String(), err != nil
}

const noDocker = "DOCKER_HOST=tcp://127.0.0.1:1"

// A service that cannot be reached is a skip that says why and what to do.
func TestRedis_Unreachable_IsSkipped(t *testing.T) {
	for _, unreachable := range [][]string{
		{noDocker, redisURLVariable + "="},
		{redisURLVariable + "=redis://:secret@127.0.0.1:1"},
		{redisURLVariable + "=redis://:sec/ret@127.0.0.1:1"},
	} {
		output, failed := runChild(t, append(unreachable, requiredVariable+"=consul,other")...)
		require.False(t, failed, output)
		require.Contains(t, output, "--- SKIP: TestChild")
		require.Contains(t, output, "redis cannot be reached")
		require.Contains(t, output, "install and start Docker, or set "+redisURLVariable)
		require.NotContains(t, output, "sec")
	}
}

// A required service that cannot be reached is a failure.
func TestRedis_RequiredAndUnreachable_Fails(t *testing.T) {
	for _, unreachable := range []string{noDocker, redisURLVariable + "=redis://127.0.0.1:1"} {
		output, failed := runChild(t, unreachable, requiredVariable+"=consul, redis")
		require.True(t, failed, output)
		require.Contains(t, output, "--- FAIL: TestChild")
		require.Contains(t, output, "redis is named in "+requiredVariable+" and cannot be reached")
	}
}

// A server that runs already is used as it is, without Docker.
func TestRedis_URL_IsUsed(t *testing.T) {
	url := Redis(t) + "/5"
	output, failed := runChild(t, noDocker, redisURLVariable+"="+url)
	require.False(t, failed, output)
	require.Contains(t, output, "url "+url)
	require.Contains(t, output, "--- PASS: TestChild")
}

// An image that does not exist is a service that cannot be reached.
func TestRedis_ImageMissing_IsNamed(t *testing.T) {
	Redis(t) // without Docker, it is not the image that is missing
	output, failed := runChild(t, redisURLVariable+"=", redisImageVariable+"=127.0.0.1:1/no/image", requiredVariable+"=redis")
	require.True(t, failed, output)
	require.Contains(t, output, "127.0.0.1:1/no/image")
}

// When the tests of a process have run, its containers are gone.
func TestWithCleanup_RemovesContainers(t *testing.T) {
	Redis(t)
	output, failed := runChild(t, redisURLVariable+"=")
	require.False(t, failed, output)
	_, after, found := strings.Cut(output, "url ")
	require.True(t, found, output)
	url, _, _ := strings.Cut(after, "\n")
	require.Error(t, ping(t, url))
}

// fakeTests stands for tests that have been run.
type fakeTests int

func (code fakeTests) Run() int { return int(code) }

// The exit code is that of the tests, unless a container could not be removed.
func TestRun_ExitCode(t *testing.T) {
	fresh := registry{}
	require.Equal(t, 0, (runner{fakeTests(0), &fresh}).Run())
	require.Equal(t, 3, (runner{fakeTests(3), &fresh}).Run())
	stubborn := func() (string, func(context.Context) error, error) {
		return "", func(context.Context) error { return errors.New("stays") }, nil
	}
	_, err := fresh.get("stubborn", stubborn)
	require.NoError(t, err)
	require.Equal(t, 1, (runner{fakeTests(0), &fresh}).Run())
}
