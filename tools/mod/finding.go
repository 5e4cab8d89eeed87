package main

import (
	"encoding/json"
	"errors"
	"fmt"
)

// errFindings ends a command with statusFinding, after its findings were printed.
var errFindings = errors.New("findings")

// A finding is one thing that is wrong with a module, or with all of them.
type finding struct {
	Module string `json:"module,omitempty"` // directory; empty for the repository
	Check  string `json:"check"`
	Text   string `json:"text"`
}

type findings []finding

// add notes what is wrong with the module in dir.
func (f *findings) add(dir, check, format string, args ...any) {
	*f = append(*f, finding{dir, check, fmt.Sprintf(format, args...)})
}

// report prints findings, and is the error that they are.
func (a *app) report(list []finding) error {
	if a.json {
		if list == nil {
			list = []finding{}
		}
		if err := a.printJSON(list); err != nil {
			return err
		}
	} else {
		for _, f := range list {
			where := f.Module
			if where == "" {
				where = "repository"
			}
			fmt.Fprintf(a.stdout, "%s: %s (%s)\n", where, f.Text, f.Check)
		}
	}
	if len(list) > 0 {
		return errFindings
	}
	return nil
}

func (a *app) printJSON(v any) error {
	encoder := json.NewEncoder(a.stdout)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(v)
}
