package cleat_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"

	"github.com/cleatdev/cleat"
	"github.com/cleatdev/cleat/datasource/filedata"
	"github.com/cleatdev/cleat/memorystore"
)

// flagFile writes a flag data file, and returns its path and what removes it.
func flagFile() (path string, remove func()) {
	directory, err := os.MkdirTemp("", "cleat-example")
	if err != nil {
		panic(err)
	}
	path = filepath.Join(directory, "flags.yaml")
	text := `
flagValues:
  new-checkout: true
flags:
  button-color:
    on: true
    clientSideAvailability: {usingEnvironmentId: true}
    targets: [{variation: 1, values: [ann]}]
    fallthrough: {variation: 0}
    variations: [grey, green]
`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		panic(err)
	}
	return path, func() { _ = os.RemoveAll(directory) }
}

// A client with flags from a file, kept in memory.
func Example() {
	path, remove := flagFile()
	defer remove()
	ctx := context.Background()
	client, err := cleat.New(ctx, cleat.Config{
		DataSource: filedata.Source(filedata.Options{Paths: []string{path}, Reload: true}),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = client.Close() }()

	fmt.Println(client.BoolVariation(ctx, "new-checkout", ldcontext.New("ann"), false))
	fmt.Println(client.StringVariation(ctx, "button-color", ldcontext.New("ann"), "blue"))
	color, detail := client.StringVariationDetail(ctx, "button-color", ldcontext.New("bob"), "blue")
	fmt.Println(color, detail.Reason)
	_, detail = client.BoolVariationDetail(ctx, "no-such-flag", ldcontext.New("bob"), false)
	fmt.Println(detail.Reason)
	// Output:
	// true
	// green
	// grey FALLTHROUGH
	// ERROR(FLAG_NOT_FOUND)
}

// A client that fills a database, and after it one that has nothing but the database: daemon mode.
func ExampleNew_daemonMode() {
	path, remove := flagFile()
	defer remove()
	ctx := context.Background()
	db := new(memorystore.Database) // stands for a database server or file
	first, err := cleat.New(ctx, cleat.Config{
		DataSource: filedata.Source(filedata.Options{Paths: []string{path}}),
		Store:      memorystore.New(db, nil),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(first.Close())

	second, err := cleat.New(ctx, cleat.Config{Daemon: true, Store: memorystore.New(db, nil)})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(second.StringVariation(ctx, "button-color", ldcontext.New("ann"), "blue"))
	fmt.Println(second.Close())
	// Output:
	// <nil>
	// green
	// <nil>
}

// The first flags of a web page, so that it need not wait for the flag service.
func ExampleClient_AllFlagsState() {
	path, remove := flagFile()
	defer remove()
	ctx := context.Background()
	client, err := cleat.New(ctx, cleat.Config{
		DataSource: filedata.Source(filedata.Options{Paths: []string{path}}),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = client.Close() }()

	text, err := json.Marshal(client.AllFlagsState(ctx, ldcontext.New("ann"), cleat.ClientSideOnly()))
	fmt.Println(string(text), err)
	// Output:
	// {"button-color":"green","$flagsState":{"button-color":{"variation":1,"version":1}},"$valid":true} <nil>
}
