package testsource_test

import (
	"context"
	"fmt"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"

	"github.com/cleatdev/cleat"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/datasource/testsource"
)

func ExampleSource() {
	ctx := context.Background()
	flags := testsource.New()
	flags.Update(flags.Flag("new-checkout").VariationForAll(testsource.False))

	client, err := cleat.New(ctx, cleat.Config{DataSource: flags.Factory()})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = client.Close() }()

	fmt.Println(client.BoolVariation(ctx, "new-checkout", ldcontext.New("ann"), true))
	flags.Update(flags.Flag("new-checkout").Target(ldcontext.DefaultKind, "ann", testsource.True))
	fmt.Println(client.BoolVariation(ctx, "new-checkout", ldcontext.New("ann"), false))
	// Output:
	// false
	// true
}

func ExampleFlagBuilder_Rule() {
	const plain, festive = 0, 1
	ctx := context.Background()
	flags := testsource.New()
	flags.Update(flags.Flag("banner").
		Variations(ldvalue.String("plain"), ldvalue.String("festive")).
		FallthroughVariation(plain).
		Rule(festive,
			testsource.Match("country", ldvalue.String("ch"), ldvalue.String("at")),
			testsource.Not(testsource.Match("plan", ldvalue.String("free")))))

	client, err := cleat.New(ctx, cleat.Config{DataSource: flags.Factory()})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = client.Close() }()

	for _, plan := range []string{"free", "gold"} {
		ann := ldcontext.NewBuilder("ann").SetString("country", "ch").SetString("plan", plan).Build()
		fmt.Println(plan, client.StringVariation(ctx, "banner", ann, "none"))
	}
	// Output:
	// free plain
	// gold festive
}

func ExampleSource_UpdateStatus() {
	ctx := context.Background()
	flags := testsource.New()
	client, err := cleat.New(ctx, cleat.Config{DataSource: flags.Factory()})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = client.Close() }()

	flags.UpdateStatus(core.DataSourceInterrupted, core.DataSourceErrorInfo{
		Kind:    core.DataSourceErrorNetwork,
		Message: "somebody pulled the plug",
	})
	fmt.Println(client.DataSourceStatus().Status().State)
	// Output: interrupted
}
