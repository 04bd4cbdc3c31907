package config

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/cleatdev/cleat/internal/urltext"
)

const (
	variablePrefix = "CLEAT_"
	configVariable = variablePrefix + "CONFIG"
	// testPrefix is that of the variables of the project's own tests.
	testPrefix = variablePrefix + "TEST_"
)

// serviceLink matches the variables that Kubernetes sets in every container for each service of the namespace: a service
// called cleat-relay brings CLEAT_RELAY_SERVICE_HOST, CLEAT_RELAY_PORT_8030_TCP and others.
var serviceLink = regexp.MustCompile(`_SERVICE_HOST$|_SERVICE_PORT(_[A-Z0-9_]+)?$|_PORT(_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?$`)

// newEnvironment returns the variables by name, without space around the values.
func newEnvironment(entries []string) map[string]string {
	env := make(map[string]string, len(entries))
	for _, entry := range entries {
		name, value, _ := strings.Cut(entry, "=")
		env[name] = strings.TrimSpace(value)
	}
	return env
}

func (r *reader) readEnvironment(env map[string]string) {
	for _, s := range r.table {
		value := env[s.variable()]
		if value == "" {
			continue
		}
		texts := []string{value}
		if s.list {
			texts = strings.Split(value, ",")
			for i := range texts {
				texts[i] = strings.TrimSpace(texts[i])
			}
		}
		r.assign(s, texts, origin{source: s.variable(), environment: true})
	}
	r.refuseUnknownVariables(env)
}

func (r *reader) refuseUnknownVariables(env map[string]string) {
	known := make([]string, 0, 1+len(r.table))
	known = append(known, configVariable)
	for _, s := range r.table {
		known = append(known, s.variable())
	}
	named := r.settings.variablesNamed()
	var unknown []string
	for _, name := range slices.Sorted(maps.Keys(env)) {
		switch {
		case !strings.HasPrefix(name, variablePrefix), strings.HasPrefix(name, testPrefix):
		case serviceLink.MatchString(name), slices.Contains(known, name), slices.Contains(named, name):
		default:
			unknown = append(unknown, name)
		}
	}
	if len(unknown) > 0 {
		r.refuse("environment", "", "unknown variables that begin with "+variablePrefix+": "+strings.Join(unknown, ", ")+
			"; known are "+strings.Join(known, ", "))
	}
}

// variablesNamed returns the variables that the settings themselves refer to, and that are known for that reason.
func (s *Settings) variablesNamed() []string {
	named := []string{s.SDKKeyEnv}
	for _, store := range []URL{s.Store, s.BigSegments.Store} {
		u, err := urltext.Parse(store.Reveal())
		if err != nil {
			continue
		}
		for name, values := range u.Query() {
			if strings.HasSuffix(name, "_env") {
				named = append(named, values...)
			}
		}
	}
	return named
}
