package conformance

import (
	"strings"

	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"

	"github.com/cleatdev/cleat/core"
)

func abilityTests(c Capabilities) group[*fixture] {
	g := group[*fixture]{"Abilities", []subtest[*fixture]{
		{"AvailabilityCheckerIsAsDeclared", declared("AvailabilityChecker", c.AvailabilityChecker, has[core.AvailabilityChecker])},
		{"WatcherIsAsDeclared", declared("Watcher", c.Watcher, has[core.Watcher])},
		{"ChangeSetApplierIsAsDeclared", declared("ChangeSetApplier", c.ChangeSetApplier, has[core.ChangeSetApplier])},
		{"ItemsGetterIsAsDeclared", declared("ItemsGetter", c.ItemsGetter, has[core.ItemsGetter])},
		{
			"DiagnosticDescriptionIsAsDeclared",
			declared("DiagnosticDescription", c.DiagnosticDescription, has[core.DiagnosticDescription]),
		},
	}}
	if c.AvailabilityChecker {
		g.Tests = append(g.Tests, subtest[*fixture]{"CheckAvailabilitySucceeds", testAvailability})
	}
	if c.DiagnosticDescription {
		g.Tests = append(g.Tests, subtest[*fixture]{"DescriptionNamesTheTypeAndNoSecrets", testDescription})
	}
	return g
}

func has[Ability any](s core.FeatureStoreCore) bool {
	_, ok := s.(Ability)
	return ok
}

func declared(name string, want bool, has func(core.FeatureStoreCore) bool) func(*fixture) {
	return func(f *fixture) {
		if got := has(f.open().core); got != want {
			f.Fatalf("the store is a core.%s: %t; the harness declares %t", name, got, want)
		}
	}
}

func testAvailability(f *fixture) {
	s := f.open()
	checker, ok := s.core.(core.AvailabilityChecker)
	if !ok {
		f.Fatalf("the store is no core.AvailabilityChecker")
	}
	check := func(when string) {
		if err := s.Do("CheckAvailability", func() error { return checker.CheckAvailability(f.Context()) }); err != nil {
			f.Fatalf("CheckAvailability %s: %v", when, err)
		}
	}
	check("of an empty database")
	f.wantInitialized(s, false)
	f.init(s)
	check("after Init")
	f.h.Wipe(f.tester)
	check("of a wiped database")
}

func testDescription(f *fixture) {
	described, ok := f.open().core.(core.DiagnosticDescription)
	if !ok {
		f.Fatalf("the store is no core.DiagnosticDescription")
	}
	value := described.DescribeConfiguration(core.ClientConfiguration{})
	empty := value.Type() == ldvalue.StringType && value.StringValue() == "" ||
		value.Type() == ldvalue.ObjectType && value.Count() == 0
	if empty || value.Type() != ldvalue.StringType && value.Type() != ldvalue.ObjectType {
		f.Fatalf("DescribeConfiguration: %s, want a name or an object", value.JSONString())
	}
	if strings.Contains(value.JSONString(), f.prefix) {
		f.Fatalf("DescribeConfiguration contains the prefix: %s", value.JSONString())
	}
}
