package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cleatdev/cleat/internal/urltext"
)

// conflict is a setting that cannot be as it is because of another one.
type conflict struct {
	setting string
	cause   string // the name of the other setting
	problem string
	// needless is true if the setting merely has no effect, so that nothing is lost without it.
	needless bool
}

// resolve refuses what contradicts itself. What only the environment makes needless in the file is dropped: who switches
// the mode by a variable need not change the file.
func (r *reader) resolve() {
	r.dropOtherKeys()
	for _, c := range r.settings.conflicts(r.table) {
		if c.needless && r.origins[c.cause].environment && !r.origins[c.setting].environment {
			r.drop(c.setting)
		}
	}
	for _, c := range r.settings.conflicts(r.table) {
		source := r.origins[c.setting].source
		if source == "" {
			source = r.origins[c.cause].source
		}
		r.refuse(source, c.setting, c.problem)
	}
}

func keyNames() []string { return []string{nameSDKKey, nameSDKKeyFile, nameSDKKeyEnv} }

// dropOtherKeys has an SDK key from the environment win over one that the file gives in another way.
func (r *reader) dropOtherKeys() {
	fromEnvironment := func(name string) bool { return r.origins[name].environment }
	if !slices.ContainsFunc(keyNames(), fromEnvironment) {
		return
	}
	for _, name := range keyNames() {
		if !fromEnvironment(name) {
			r.drop(name)
		}
	}
}

func (r *reader) drop(name string) {
	i := slices.IndexFunc(r.table, func(s setting) bool { return s.name == name })
	r.table[i].clear()
	delete(r.origins, name)
}

// conflicts returns everything that contradicts itself. Offline mode and switching events off are meant to be done
// without touching anything else, so nothing is needless because of them.
func (s *Settings) conflicts(table []setting) []conflict {
	conflicts := s.keyConflicts(table)
	if s.Mode == ModeOffline {
		return conflicts
	}
	conflicts = append(conflicts, s.modeConflicts(table)...)
	conflicts = append(conflicts, s.storeConflicts(table)...)
	if s.HTTP.InsecureSkipVerify && s.HTTP.CAFile != "" {
		conflicts = append(conflicts, conflict{
			setting: nameCAFile, cause: nameInsecure, needless: true,
			problem: "it has no effect beside " + nameInsecure + "; remove one of them",
		})
	}
	return conflicts
}

func (s *Settings) hasKey() bool {
	return s.SDKKey != (Secret{}) || s.SDKKeyFile != "" || s.SDKKeyEnv != ""
}

func (s *Settings) keyConflicts(table []setting) (conflicts []conflict) {
	first := ""
	for _, setting := range table {
		switch {
		case !slices.Contains(keyNames(), setting.name) || !setting.isSet():
		case first == "":
			first = setting.name
		default:
			conflicts = append(conflicts, conflict{
				setting: setting.name, cause: first, problem: "it says the same as " + first + "; keep one of them",
			})
		}
	}
	return conflicts
}

// mode returns the mode with its default.
func (s *Settings) mode() Mode {
	if s.Mode == "" {
		return ModeStreaming
	}
	return s.Mode
}

func (s *Settings) modeConflicts(table []setting) (conflicts []conflict) {
	mode := s.mode()
	for _, setting := range table {
		modes := modesOf(setting.name)
		if modes == nil || !setting.isSet() || slices.Contains(modes, mode) || mode == ModeDataSystem && s.DataSystem.has(setting.name) {
			continue
		}
		conflicts = append(conflicts, conflict{
			setting: setting.name, cause: nameMode, needless: true,
			problem: fmt.Sprintf("it has no effect in mode %s; remove it, or set mode: %s", mode, modes[0]),
		})
	}
	missing := func(name, problem string) {
		conflicts = append(conflicts, conflict{setting: name, cause: nameMode, problem: problem})
	}
	switch {
	case (mode == ModeFile || mode == ModeDataSystem && s.DataSystem.has(nameFilePaths)) && len(s.File.Paths) == 0:
		missing(nameFilePaths, fmt.Sprintf("mode %s needs the paths of the files with flags", mode))
	case mode == ModeDaemon && s.Store == (URL{}):
		missing(nameStore, "mode daemon needs a store to read flags from, such as redis://host:6379")
	case (mode == ModeStreaming || mode == ModePolling || mode == ModeDataSystem && s.DataSystem.asksTheService()) && !s.hasKey():
		missing(nameSDKKey, fmt.Sprintf("mode %s needs an SDK key: set %s, %s, or the variable CLEAT_SDK_KEY; or set mode to daemon, "+
			"file or offline", mode, nameSDKKey, nameSDKKeyFile))
	case s.Events.Enabled == On && !s.hasKey():
		conflicts = append(conflicts, conflict{
			setting: nameEventsEnabled, cause: nameMode, problem: "events need an SDK key; set " + nameSDKKey + ", or remove it",
		})
	}
	return conflicts
}

// modesOf returns the modes in which a setting has an effect, the likeliest first; nil means all.
func modesOf(name string) []Mode {
	section, _, _ := strings.Cut(name, ".")
	switch section {
	case namePayloadFilter:
		return []Mode{ModeStreaming, ModePolling}
	case string(ModeStreaming), string(ModePolling), string(ModeFile):
		return []Mode{Mode(section)}
	case "data_system":
		return []Mode{ModeDataSystem}
	}
	return nil
}

func (s *Settings) storeConflicts(table []setting) (conflicts []conflict) {
	add := func(name, cause, problem string, needless bool) {
		conflicts = append(conflicts, conflict{setting: name, cause: cause, problem: problem, needless: needless})
	}
	switch {
	case s.StoreMode != "" && s.Store == (URL{}) && s.mode() != ModeDaemon:
		add(nameStoreMode, nameStore, "there is no store; set one, or remove it", false)
	case s.StoreMode == StoreReadWrite && s.mode() == ModeDaemon:
		add(nameStoreMode, nameMode, "a client in mode daemon writes nothing; remove it, or set mode to streaming or polling", true)
	}
	if s.BigSegments.Store.Reveal() == SameStore && s.Store == (URL{}) {
		add(nameBigSegmentsStore, nameStore, "it is the same as store, and there is none; set store, or give a URL here", false)
	}
	if s.endangersBigSegments() {
		add(nameBigSegmentsStore, nameStore, "in Consul, big segments must not lie under the prefix of flags, because LaunchDarkly's "+
			"writers delete every key that begins with it; give a URL without a prefix here, for cleat-big-segments, or with one "+
			"that does not begin with that of store", false)
	}
	if s.BigSegments.Store != (URL{}) {
		return conflicts
	}
	for _, setting := range table {
		if strings.HasPrefix(setting.name, "big_segments.") && setting.isSet() {
			add(setting.name, nameBigSegmentsStore, "there are no big segments without "+nameBigSegmentsStore+"; set that, to \""+
				SameStore+"\" or a URL, or remove this", false)
		}
	}
	return conflicts
}

// endangersBigSegments reports whether big segments would lie in the same Consul as flags, under a prefix that begins with
// that of flags.
func (s *Settings) endangersBigSegments() bool {
	host, flags := consulPrefix(s.Store)
	bigHost, bigSegments := host, flags
	if s.BigSegments.Store.Reveal() != SameStore {
		bigHost, bigSegments = consulPrefix(s.BigSegments.Store)
	}
	return host == bigHost && flags != "" && s.BigSegments.Store != (URL{}) && strings.HasPrefix(bigSegments, flags)
}

// consulPrefix returns the host, and the prefix if it is given, of a URL of Consul.
func consulPrefix(u URL) (host, prefix string) {
	parsed, err := urltext.Parse(u.Reveal())
	if err != nil || parsed.Scheme != "consul" && parsed.Scheme != "consuls" {
		return "", ""
	}
	return parsed.Host, parsed.Query().Get("prefix")
}
