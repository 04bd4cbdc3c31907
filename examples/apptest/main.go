// Command apptest greets a visitor in the way that a flag says. What it is about is its test, main_test.go, which
// programs the flags with package datasource/testsource: that is how an application tests what it does with each value.
//
//	go test -v ./examples/apptest
//	CLEAT_SDK_KEY=sdk-… go run ./examples/apptest
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"

	"github.com/cleatdev/cleat"
)

func main() {
	err := run(context.Background(), log.New(os.Stdout, "", 0), cleat.Config{SDKKey: os.Getenv("CLEAT_SDK_KEY")})
	if err != nil {
		log.Fatal(err)
	}
}

// run takes the configuration as an argument, so that a test can put another data source into it.
func run(ctx context.Context, out *log.Logger, config cleat.Config) (err error) {
	client, err := cleat.New(ctx, config)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, client.Close()) }()
	out.Print(greeting(ctx, client, ldcontext.NewBuilder("ana").Name("Ana").SetString("country", "ES").Build()))
	return nil
}

func greeting(ctx context.Context, client *cleat.Client, visitor ldcontext.Context) string {
	word := client.StringVariation(ctx, "greeting", visitor, "Hello")
	if name := visitor.Name().StringValue(); name != "" && client.BoolVariation(ctx, "greet-by-name", visitor, false) {
		return fmt.Sprintf("%s, %s!", word, name)
	}
	return word + "!"
}
