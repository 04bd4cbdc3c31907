package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// setting ties a field of [Settings] to its name and to the way in which its text is read. The table of settings is what
// files, environment, checks, printing and documentation go by.
type setting struct {
	name    string // in the file, with a dot between section and key
	expects string // completes "expected …"
	list    bool   // whether it has several texts
	target  any    // the address of the field

	set   func(texts []string) bool // reports whether the texts were understood; if not, the field is as it was
	valid func() bool               // whether the field holds what set could have put there
	isSet func() bool
	clear func()
	print func() any // the value for JSON and YAML, without secrets
}

// variable returns the name of the environment variable.
func (s setting) variable() string {
	return variablePrefix + strings.ToUpper(strings.ReplaceAll(s.name, ".", "_"))
}

// scalar makes a setting of one text. check is not called for the zero value, which means that nothing was set.
func scalar[T comparable](name, expects string, target *T, parse func(string) (T, bool), check func(T) bool) setting {
	var zero T
	return setting{
		name: name, expects: expects, target: target,
		set: func(texts []string) bool {
			value, ok := parse(texts[0])
			if ok = ok && check(value); ok {
				*target = value
			}
			return ok
		},
		valid: func() bool { return *target == zero || check(*target) },
		isSet: func() bool { return *target != zero },
		clear: func() { *target = zero },
		print: func() any { return printable(*target) },
	}
}

func printable(value any) any {
	switch value := value.(type) {
	case Switch:
		return value == On
	case fmt.Stringer:
		return value.String()
	}
	return value
}

func list[T ~string](name, expects string, target *[]T, check func(string) bool) setting {
	allValid := func(values []T) bool {
		return !slices.ContainsFunc(values, func(value T) bool { return value == "" || !check(string(value)) })
	}
	return setting{
		name: name, expects: expects, list: true, target: target,
		set: func(texts []string) bool {
			values := make([]T, len(texts))
			for i, text := range texts {
				values[i] = T(text)
			}
			ok := allValid(values)
			if ok {
				*target = values
			}
			return ok
		},
		valid: func() bool { return allValid(*target) },
		isSet: func() bool { return len(*target) > 0 },
		clear: func() { *target = nil },
		print: func() any { return *target },
	}
}

// choices makes a setting of some of the given values.
func choices[T ~string](name string, target *[]T, known ...T) setting {
	return list(name, "some of "+enumerate(known), target, func(text string) bool { return slices.Contains(known, T(text)) })
}

func text(name, expects string, target *string, check func(string) bool) setting {
	return scalar(name, expects, target, func(text string) (string, bool) { return text, true }, check)
}

func secret(name, expects string, target *Secret, check func(string) bool) setting {
	return scalar(name, expects, target,
		func(text string) (Secret, bool) { return NewSecret(text), true },
		func(secret Secret) bool { return check(secret.Reveal()) })
}

func address(name, expects string, target *URL, check func(string) bool) setting {
	return scalar(name, expects, target,
		func(text string) (URL, bool) { return NewURL(text), true },
		func(u URL) bool { return check(u.Reveal()) })
}

func choice[T ~string](name string, target *T, known ...T) setting {
	return scalar(name, "one of "+enumerate(known), target,
		func(text string) (T, bool) { return T(text), true },
		func(value T) bool { return slices.Contains(known, value) })
}

func enumerate[T ~string](values []T) string {
	names := make([]string, len(values))
	for i, value := range values {
		names[i] = string(value)
	}
	return strings.Join(names, ", ")
}

func number(name string, target *int, largest int) setting {
	expects := fmt.Sprintf("a whole number from 1 to %d", largest)
	return scalar(name, expects, target, func(text string) (int, bool) {
		n, err := strconv.Atoi(text)
		return n, err == nil
	}, func(n int) bool { return 1 <= n && n <= largest })
}

// duration makes a setting of at least the given duration.
func duration(name string, target *time.Duration, shortest time.Duration) setting {
	expects := "a duration such as 500ms or 1m30s"
	if shortest > 1 {
		expects += " that is no shorter than " + shortest.String()
	}
	return scalar(name, expects, target, parseDuration, func(d time.Duration) bool { return d >= shortest })
}

func parseDuration(text string) (time.Duration, bool) {
	d, err := time.ParseDuration(text)
	return d, err == nil
}

// wait makes a setting of a duration that is negative for off.
func wait(name string, target *time.Duration) setting {
	const off = "off"
	s := scalar(name, "a duration such as 10s, or off", target, func(text string) (time.Duration, bool) {
		if text == off {
			return -1, true
		}
		d, ok := parseDuration(text)
		return d, ok && d > 0
	}, func(d time.Duration) bool { return d != 0 })
	s.print = func() any {
		if *target < 0 {
			return off
		}
		return target.String()
	}
	return s
}

const expectsBool = "true or false"

func parseBool(text string) (value, ok bool) {
	switch strings.ToLower(text) {
	case "true", "on":
		return true, true
	case "false", "off":
		return false, true
	}
	return false, false
}

func boolean(name string, target *bool) setting {
	return scalar(name, expectsBool, target, parseBool, func(bool) bool { return true })
}

func onOff(name string, target *Switch) setting {
	return scalar(name, expectsBool, target, func(text string) (Switch, bool) {
		value, ok := parseBool(text)
		if value {
			return On, ok
		}
		return Off, ok
	}, func(s Switch) bool { return s == On || s == Off })
}
