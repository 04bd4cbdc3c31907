package certification

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/template"
	"time"
)

// Result is what was seen in one injection.
type Result struct {
	Name  string
	Lasts time.Duration
	Want  Expectations
	// Cells are the clients with the database, Memory is the one beside them that has none.
	Cells  []Cell
	Memory Cell
	// LogLines is how many lines all of them logged.
	LogLines int
	// Goroutines says what started those that were left over when all clients were closed; Files is how many open files were.
	Goroutines string
	Files      int
}

// Misses returns what was not as it should be, by client.
func (r *Result) Misses() []string { return r.each((*Cell).Misses) }

// Wrongs returns what is wrong on a machine of any speed.
func (r *Result) Wrongs() []string { return r.each((*Cell).Wrongs) }

func (r *Result) each(of func(c *Cell, want Expectations) []string) (found []string) {
	for i := range r.Cells {
		for _, text := range of(&r.Cells[i], r.Want) {
			found = append(found, r.Cells[i].Name()+": "+text)
		}
	}
	if r.Goroutines != "" {
		found = append(found, "left over: "+r.Goroutines)
	}
	if r.Files > 0 {
		found = append(found, fmt.Sprintf("%d open files are left over", r.Files))
	}
	return found
}

// Row is a result as it is kept and shown: the worst that any client has of each figure. What needs no database by Cell.Misses is
// said of the clients of which that is asked.
type Row struct {
	Name, Commit string
	Lasts        time.Duration

	Known, KnownUsual, KnownInMemory time.Duration
	Unknown                          time.Duration
	Evaluations, Defaults, Backwards int
	Visible, VisibleInMemory         time.Duration
	Transitions, Calls               int
	Available                        time.Duration
	LogLines                         int
	Clients                          int
	Misses                           []string
}

// Row returns the result as it is kept.
func (r *Result) Row() Row {
	row := Row{
		Name: r.Name, Lasts: r.Lasts, KnownInMemory: r.Memory.Longest, VisibleInMemory: r.Memory.Visible,
		LogLines: r.LogLines, Clients: len(r.Cells), Misses: r.Misses(),
	}
	for i := range r.Cells {
		c := &r.Cells[i]
		if c.cached() {
			row.Known, row.KnownUsual, row.Visible = max(row.Known, c.Longest), max(row.KnownUsual, c.Usual), max(row.Visible, c.Visible)
			row.Evaluations += c.Evaluations
			row.Defaults += c.Defaults
		}
		if c.keeps() {
			row.Backwards += c.Backwards
		}
		row.Unknown = max(row.Unknown, c.Unknown)
		row.Transitions = max(row.Transitions, len(c.Transitions))
		if !r.Want.Answers && !r.Want.WritesFailed {
			row.Calls = max(row.Calls, c.CallsWhileDown)
		}
		row.Available = max(row.Available, c.AvailableAfter)
	}
	return row
}

// String returns the row in lines for a terminal.
func (r *Row) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %v: known %v (usual %v, in memory %v), unknown %v, %d defaults and %d backwards of %d, "+
		"visible %v (in memory %v), %d transitions, %d calls, available after %v, %d log lines\n",
		r.Name, r.Lasts, round(r.Known), round(r.KnownUsual), round(r.KnownInMemory), round(r.Unknown), r.Defaults, r.Backwards,
		r.Evaluations, round(r.Visible), round(r.VisibleInMemory), r.Transitions, r.Calls, round(r.Available), r.LogLines)
	for _, miss := range r.Misses {
		fmt.Fprintf(&b, "  missed: %s\n", miss)
	}
	return b.String()
}

// Figure is something that was measured with its goal.
type Figure struct {
	Name, Commit, Value, Goal string
	Met                       bool
}

// Part is what has been found out about one kind of server.
type Part struct {
	Kind, Date string
	Rows       []Row    `json:",omitempty"`
	Figures    []Figure `json:",omitempty"`
}

// Commits are those at which the part was measured.
func (p *Part) Commits() string {
	commits := make([]string, 0, len(p.Rows)+len(p.Figures))
	for _, r := range p.Rows {
		commits = append(commits, r.Commit)
	}
	for _, f := range p.Figures {
		commits = append(commits, f.Commit)
	}
	slices.Sort(commits)
	return strings.Join(slices.Compact(commits), " and ")
}

// keep writes a part to its file in the directory, measured at the commit. Rows and figures that the file has and the part has
// not stay.
func (p *Part) keep(directory, commit string) error {
	for i := range p.Rows {
		p.Rows[i].Commit = commit
	}
	for i := range p.Figures {
		p.Figures[i].Commit = commit
	}
	path := filepath.Join(directory, p.Kind+".json")
	kept, err := readPart(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	}
	p.Rows = merge(kept.Rows, p.Rows, func(r Row) string { return r.Name })
	p.Figures = merge(kept.Figures, p.Figures, func(f Figure) string { return f.Name })
	data, err := json.MarshalIndent(p, "", "\t")
	if err != nil {
		return err
	}
	return errors.Join(os.MkdirAll(directory, 0o755), os.WriteFile(path, append(data, '\n'), 0o644))
}

func readPart(path string) (p Part, err error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return p, err
	}
	if err := json.Unmarshal(data, &p); err != nil {
		return p, fmt.Errorf("%s: %w", path, err)
	}
	return p, nil
}

// merge returns what was there with what is new, which takes the place of what has the same name.
func merge[T any](there, added []T, name func(T) string) []T {
	for _, a := range added {
		if i := slices.IndexFunc(there, func(t T) bool { return name(t) == name(a) }); i >= 0 {
			there[i] = a
		} else {
			there = append(there, a)
		}
	}
	return there
}

//go:embed document.md.tmpl
var documentText string

// writeDocument writes the page of all parts in the directory.
func writeDocument(w io.Writer, directory string) error {
	paths, err := filepath.Glob(filepath.Join(directory, "*.json"))
	if err != nil {
		return err
	}
	var parts []*Part
	for _, path := range paths {
		p, err := readPart(path)
		if err != nil {
			return err
		}
		parts = append(parts, &p)
	}
	document, err := template.New("").Funcs(template.FuncMap{
		"short": func(r Row) string { return r.Name[strings.Index(r.Name, "/")+1:] },
		"ms":    milliseconds,
		"s":     func(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) },
		"goals": goals,
		"total": func() (total struct{ Injections, Clients, Missed int }) {
			for _, p := range parts {
				for _, r := range p.Rows {
					total.Injections++
					total.Clients += r.Clients
					total.Missed += len(r.Misses)
				}
			}
			return total
		},
	}).Parse(documentText)
	if err != nil {
		return err
	}
	return document.Execute(w, parts)
}

// milliseconds returns a time in three digits.
func milliseconds(d time.Duration) string {
	if d >= time.Second {
		return fmt.Sprintf("%.0f ms", float64(d)/float64(time.Millisecond))
	}
	return fmt.Sprintf("%.3g ms", float64(d)/float64(time.Millisecond))
}

// goals are those of Cell.Misses in words.
func goals() []Figure {
	return []Figure{
		{Name: "longest evaluation of a known flag", Goal: "≤ " + longestGoal.String()},
		{Name: "from the delivery of an update to an evaluation that sees it", Goal: "≤ " + visibleGoal.String()},
		{Name: "defaults for a known flag", Goal: fmt.Sprintf("0; without a cache, ≤ %d times the share of requests that fail", shareWithDefaults)},
		{Name: "values older than one that the process had seen", Goal: "0"},
		{Name: "changes of the status", Goal: fmt.Sprint("≤ ", transitionsGoal)},
		{Name: "calls of a database that is known to be down, beside checks", Goal: fmt.Sprint("≤ ", callsGoal)},
		{Name: "available after the server answers again", Goal: fmt.Sprintf("≤ %v; where only writing had failed, ≤ %v", availableGoal, writableGoal)},
		{Name: "updates in the database in the end, by the bare driver", Goal: "all, within 20 s"},
		{Name: "secrets in the log, changes under another prefix", Goal: "0"},
		{Name: "goroutines and open files left over after Close", Goal: "0"},
	}
}
