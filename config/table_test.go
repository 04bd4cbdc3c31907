package config

import (
	"go/parser"
	"go/token"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"
)

// leaves calls visit with each field of the settings that holds a value, under its name in snake case.
func leaves(prefix string, v reflect.Value, visit func(name string, address any)) {
	for i := range v.NumField() {
		name := prefix + snakeCase(v.Type().Field(i).Name)
		field := v.Field(i)
		if field.Kind() == reflect.Struct && field.Type() != reflect.TypeFor[Secret]() && field.Type() != reflect.TypeFor[URL]() {
			leaves(name+".", field, visit)
			continue
		}
		visit(name, field.Addr().Interface())
	}
}

// snakeCase turns BigSegments into big_segments and CAFile into ca_file.
func snakeCase(name string) string {
	for _, acronym := range []string{"SDK", "HTTP", "CA", "ID"} {
		if strings.HasPrefix(name, acronym) {
			name = acronym[:1] + strings.ToLower(acronym[1:]) + name[len(acronym):]
		}
	}
	var b strings.Builder
	for i, r := range name {
		if unicode.IsUpper(r) && i > 0 {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

func packageDoc(t *testing.T) string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "doc.go", nil, parser.ParseComments)
	require.NoError(t, err)
	return file.Doc.Text()
}

// docSection returns the section of the package documentation with the given heading.
func docSection(t *testing.T, heading string) string {
	t.Helper()
	_, rest, found := strings.Cut(packageDoc(t), "\n# "+heading+"\n")
	require.True(t, found)
	section, _, found := strings.Cut(rest, "\n# ")
	require.True(t, found)
	return section
}

// documentedFile returns the indented lines of the section on files.
func documentedFile(t *testing.T) string {
	var b strings.Builder
	for line := range strings.Lines(docSection(t, "File")) {
		if text, indented := strings.CutPrefix(line, "\t"); indented || line == "\n" {
			b.WriteString(text)
		}
	}
	return b.String()
}

func TestSettings_EveryField_HasNameVariableAndDocumentation(t *testing.T) {
	var s Settings
	byName := map[string]setting{}
	variables := map[string]string{}
	for _, setting := range s.settings(nil) {
		require.NotContains(t, byName, setting.name)
		require.NotContains(t, variables, setting.variable())
		byName[setting.name] = setting
		variables[setting.variable()] = setting.name
	}
	file, environment := documentedFile(t), docSection(t, "Environment")
	fields := 0
	leaves("", reflect.ValueOf(&s).Elem(), func(name string, address any) {
		fields++
		setting, found := byName[name]
		require.True(t, found, "%s is not in the table", name)
		require.Same(t, address, setting.target, name)
		_, inSection := splitName(name)
		require.Regexp(t, `(?m)^[ #]*`+inSection+`:`, file, "%s is not in the file of the documentation", name)
		require.Regexp(t, `(?m)^\t`+setting.variable()+` +`+regexp.QuoteMeta(name)+`$`, environment)
		require.NotRegexp(t, serviceLink, setting.variable(), "it would be taken for a variable of Kubernetes")
	})
	require.Len(t, byName, fields, "the table has settings without a field")
}

func TestRead_FileOfTheDocumentation_IsUnderstood(t *testing.T) {
	text := documentedFile(t)
	s, err := Read("cleat.yaml", &Options{Env: []string{}, ReadFile: func(string) ([]byte, error) { return []byte(text), nil }})
	require.NoError(t, err)
	require.Equal(t, "1.4.2", s.Application.Version)

	uncommented := regexp.MustCompile(`(?m)^( *)# ( *[a-z_]+:)`).ReplaceAllString(text, "$1$2")
	_, err = Read("cleat.yaml", &Options{Env: []string{}, ReadFile: func(string) ([]byte, error) { return []byte(uncommented), nil }})
	var unknown []string
	for line := range strings.Lines(err.Error()) {
		if !strings.Contains(line, "says the same as") && !strings.Contains(line, "has no effect") {
			unknown = append(unknown, line)
		}
	}
	require.Empty(t, unknown, "what is commented out in the documentation is right too")
}
