package repo

import "fmt"

// Finding is one thing that is wrong with a module, or with the repository.
type Finding struct {
	Module string // directory; empty for the repository
	Check  string // that found it
	Text   string
}

func (f Finding) String() string {
	where := f.Module
	if where == "" {
		where = "repository"
	}
	return fmt.Sprintf("%s: %s (%s)", where, f.Text, f.Check)
}

// Findings is a list of what is wrong.
type Findings []Finding

// Add appends a finding about the module in dir.
func (f *Findings) Add(dir, check, format string, args ...any) {
	*f = append(*f, Finding{dir, check, fmt.Sprintf(format, args...)})
}
