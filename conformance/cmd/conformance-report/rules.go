package main

import (
	"bytes"
	"cmp"
	_ "embed"
	"errors"
	"html/template"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/cachebackends/cachebackends/conformance"
)

//go:embed rule.html
var ruleHTML string

var ruleTemplate = template.Must(template.New("rule").Parse(ruleHTML))

// rulePage is what the template of one rule shows.
type rulePage struct {
	Rule           conformance.Case
	Chapter        string
	Needs          []string // names of features
	Defects        []string
	Backends       []ruleRow
	Page           string // the link to the page of all rules, "" if there is none
	Previous, Next string // IDs
}

// ruleRow says what one report found about a rule.
type ruleRow struct {
	report
	Outcome, Kind, Why string
}

// outcomeNames are the outcomes in the words of a page.
var outcomeNames = map[conformance.Outcome]string{
	conformance.Pass:        "holds",
	conformance.Unsupported: "not supported",
	conformance.Waived:      "waived",
	conformance.Skipped:     "not tested",
	"":                      "does not apply",
}

// writeRules writes a page for each rule, and removes those of rules that no longer exist.
func (c *command) writeRules(backends []backend) error {
	defects, err := readDefects()
	if err != nil {
		return err
	}
	link := ""
	if c.page != "" {
		if link, err = filepath.Rel(c.rules, c.page); err != nil {
			return err
		}
	}
	rules := conformance.Cases()
	written := map[string]bool{}
	for i, rule := range rules {
		p := rulePage{
			Rule: rule, Chapter: chapterOf(rule.ID), Defects: defects[rule.ID], Page: filepath.ToSlash(link),
			Previous: rules[max(0, i-1)].ID, Next: rules[min(i+1, len(rules)-1)].ID,
		}
		for _, f := range rule.Features {
			p.Needs = append(p.Needs, strings.ReplaceAll(cmp.Or(featureNames[f], string(f)), "`", ""))
		}
		for r := range columns(backends) {
			p.Backends = append(p.Backends, newRuleRow(r, rule.ID))
		}
		var b bytes.Buffer
		if err := ruleTemplate.Execute(&b, p); err != nil {
			return err
		}
		name := rule.ID + ".html"
		written[name] = true
		if err := c.write(filepath.Join(c.rules, name), b.Bytes()); err != nil {
			return err
		}
	}
	return c.removeOtherRules(written)
}

func newRuleRow(r report, id string) ruleRow {
	v := r.Rules[id]
	outcome, why := v.split()
	return ruleRow{r, cmp.Or(outcomeNames[outcome], "fails"), verdictCell(v).Kind, why}
}

var rulePageName = regexp.MustCompile(`^[A-Z]+-[0-9]+\.html$`)

// removeOtherRules removes pages that were written for rules of an earlier suite.
func (c *command) removeOtherRules(written map[string]bool) error {
	entries, err := os.ReadDir(c.rules)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	entries = slices.DeleteFunc(entries, func(e fs.DirEntry) bool {
		return written[e.Name()] || !rulePageName.MatchString(e.Name())
	})
	for _, e := range entries {
		name := filepath.Join(c.rules, e.Name())
		if c.check {
			c.find("%s is about a rule that the suite does not have", name)
		} else if err := os.Remove(name); err != nil {
			return err
		}
	}
	return nil
}

// chapterOf returns the heading under which a rule stands.
func chapterOf(id string) string {
	prefix, _, _ := strings.Cut(id, "-")
	return cmp.Or(chapterNames[prefix], prefix)
}
