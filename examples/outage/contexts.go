package main

import (
	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
)

// subject is a context that flags are evaluated for.
type subject struct {
	name        string // at most 12 characters
	description string
	context     ldcontext.Context
}

// subjects returns a fixed set of contexts, of every sort that flags are targeted by.
func subjects() []subject {
	chloe := ldcontext.NewBuilder("chloe").Name("Chloe Moreau").SetString("country", "FR").SetString("plan", "pro").
		SetString("email", "chloe@globex.example").SetInt("orders", 34).SetFloat64("lifetimeValue", 2710.4).
		SetInt("lastLoginDays", 2).SetString("signedUpAt", "2022-11-05T10:00:00Z").Build()
	globex := ldcontext.NewBuilder("globex").Kind("org").SetString("tier", "platinum").SetInt("seats", 800).
		SetString("region", "emea").Build()
	phone := ldcontext.NewBuilder("phone-chloe").Kind("device").SetString("os", "ios").SetString("osVersion", "18.1").
		SetString("appVersion", "5.1.1").SetString("model", "Slate 9").Build()
	return []subject{
		{"ana", "user, employee in Berlin", ldcontext.NewBuilder("ana").Name("Ana Okafor").SetString("country", "DE").
			SetString("plan", "enterprise").SetString("email", "ana@cleat.example").SetInt("orders", 3).
			SetFloat64("lifetimeValue", 240.5).SetInt("lastLoginDays", 0).SetString("signedUpAt", "2023-06-12T08:30:00Z").
			SetValue("groups", ldvalue.ArrayOf(ldvalue.String("staff"), ldvalue.String("beta"))).
			SetValue("address", ldvalue.ObjectBuild().SetString("city", "Berlin").Build()).Build()},
		{"ben", "user on the free plan, signed up this year", ldcontext.NewBuilder("ben").Name("Ben Lindqvist").
			SetString("country", "US").SetString("plan", "free").SetString("email", "ben+qa7@mail.example").
			SetInt("orders", 0).SetInt("lastLoginDays", 41).SetString("signedUpAt", "2026-02-03T17:45:00Z").
			SetValue("address", ldvalue.ObjectBuild().SetString("city", "Austin").Build()).Build()},
		{"acme", "organisation with 40 seats", ldcontext.NewBuilder("acme").Kind("org").SetString("tier", "gold").
			SetInt("seats", 40).SetString("region", "amer").Build()},
		{"kiosk-7", "device in a warehouse", ldcontext.NewBuilder("kiosk-7").Kind("device").SetString("os", "android").
			SetString("osVersion", "13.0.2").SetString("appVersion", "4.5.9").SetString("model", "Dockmaster 20").Build()},
		{"chloe+globex", "user, organisation and device at once", ldcontext.NewMulti(chloe, globex, phone)},
		{"anonymous", "visitor without an account", ldcontext.NewBuilder("anon-5f3a09").Anonymous(true).
			SetString("country", "BR").Build()},
	}
}
