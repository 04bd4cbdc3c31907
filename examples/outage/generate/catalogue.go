package main

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
)

// purpose says what a flag is there for, which decides what its targeting looks like.
type purpose int

const (
	release     purpose = iota // rolled out step by step, by percentage, to beta testers or customers
	operation                  // a switch or setting that is nearly always the same for everyone
	entitlement                // depends on what the customer has bought
	experiment                 // splits contexts evenly and tracks them
	migration                  // the stage of a technology migration
)

// entry is one flag of the catalogue.
type entry struct {
	name       string
	purpose    purpose
	variations []ldvalue.Value
	needs      string // key of the flag that is a prerequisite; empty for none
	targets    int    // how many contexts are targeted one by one; 0 means a few or none
}

// area is a part of the product. Its name begins the keys of its flags.
type area struct {
	name    string
	entries []entry
}

// catalogue returns all flags of the product. A flag needs only flags that come before it.
func catalogue() []area {
	return slices.Concat(shopAreas(), customerAreas(), contentAreas(), platformAreas())
}

// feature is a boolean flag with which something new is released.
func feature(name string) entry {
	return entry{name: name, purpose: release, variations: booleans()}
}

// killSwitch is a boolean flag with which something is turned off in an emergency.
func killSwitch(name string) entry {
	return entry{name: name, purpose: operation, variations: booleans()}
}

// permission is a boolean flag that customers have or have not.
func permission(name string) entry {
	return entry{name: name, purpose: entitlement, variations: booleans()}
}

// choice is a flag whose value is one of several names.
func choice(name string, values ...string) entry {
	return entry{name: name, purpose: release, variations: list(ldvalue.String, values)}
}

// test is an experiment with several named treatments.
func test(name string, values ...string) entry {
	return entry{name: name, purpose: experiment, variations: list(ldvalue.String, values)}
}

// number is a whole number that operators set.
func number(name string, values ...int) entry {
	return entry{name: name, purpose: operation, variations: list(ldvalue.Int, values)}
}

// quota is a whole number that depends on what the customer has bought.
func quota(name string, values ...int) entry {
	return entry{name: name, purpose: entitlement, variations: list(ldvalue.Int, values)}
}

// ratio is a number with a fraction.
func ratio(name string, values ...float64) entry {
	return entry{name: name, purpose: operation, variations: list(ldvalue.Float64, values)}
}

// config is a flag whose values are JSON documents.
func config(name string, documents ...string) entry {
	return entry{name: name, purpose: release, variations: list(parse, documents)}
}

// stages is a flag that steers a technology migration.
func stages(name string) entry {
	values := []string{"off", "dualwrite", "shadow", "live", "rampdown", "complete"}
	return entry{name: name, purpose: migration, variations: list(ldvalue.String, values)}
}

// after returns the entry with a prerequisite.
func (e entry) after(key string) entry {
	e.needs = key
	return e
}

// listing returns the entry with so many contexts targeted one by one.
func (e entry) listing(targets int) entry {
	e.targets = targets
	return e
}

func booleans() []ldvalue.Value {
	return []ldvalue.Value{ldvalue.Bool(true), ldvalue.Bool(false)}
}

// parse makes a value of a JSON document that is written out with its properties in alphabetical order: an
// ldvalue object has no order, and would be written differently each time.
func parse(document string) ldvalue.Value {
	var properties any
	if err := json.Unmarshal([]byte(document), &properties); err != nil {
		panic(fmt.Sprintf("the catalogue has a document that is not JSON: %v: %s", err, document))
	}
	sorted, err := json.Marshal(properties)
	if err != nil {
		panic(err)
	}
	return ldvalue.Raw(sorted)
}

func list[T any](toValue func(T) ldvalue.Value, from []T) []ldvalue.Value {
	values := make([]ldvalue.Value, 0, len(from))
	for _, v := range from {
		values = append(values, toValue(v))
	}
	return values
}
