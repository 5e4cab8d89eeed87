package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"
	modpath "golang.org/x/mod/module"
)

func (a *app) sizesCommand() *cobra.Command {
	var write bool
	command := &cobra.Command{
		Use:   "sizes",
		Short: "Measure what go get brings, of our backends and of others",
		Long: `Measures what a small program over each backend brings its user, and the same
over other libraries for the same stores. The others are downloaded into the
machine's module cache first, if they are not there.

The numbers of modules and of go.sum lines depend on nothing but the go.mod files;
check compares those of our backends with the table in README.md.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			w, err := a.open()
			if err != nil {
				return err
			}
			rows, err := a.measure(cmd.Context(), w)
			if err != nil {
				return err
			}
			switch {
			case write:
				return w.writeSizes(rows)
			case a.json:
				return a.printJSON(rows)
			}
			fmt.Fprint(a.stdout, sizesTable(rows))
			return nil
		},
	}
	command.Flags().BoolVar(&write, "write", false, "put the table into README.md")
	return command
}

// sizesRow is a row of the table.
type sizesRow struct {
	Name string `json:"name"` // a backend, or the path and version of another library
	Ours bool   `json:"ours"`
	pulled
}

// measure measures all backends, each followed by its peers.
func (a *app) measure(ctx context.Context, w *workspace) ([]sizesRow, error) {
	l, err := a.newLab(ctx, w)
	if err != nil {
		return nil, err
	}
	defer l.close()
	var rows []sizesRow
	for _, m := range w.released() {
		if !m.Backend() {
			continue
		}
		fmt.Fprintf(a.stderr, "sizes %s\n", m.Dir)
		l.warm(ctx, m)
		p, err := l.pull(ctx, l.hello(m), m.Path+"@"+l.published.Now[m.Dir])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", m.Dir, err)
		}
		rows = append(rows, sizesRow{m.Dir, true, p})
		for _, peer := range peers {
			if peer.Beside != m.Dir {
				continue
			}
			if peer.Version == "" {
				peer.Version = required(m.File, peer.Path)
			}
			name := strings.TrimPrefix(peer.Path, "github.com/") + " " + readable(peer.Version)
			fmt.Fprintf(a.stderr, "sizes %s\n", name)
			query := peer.Path + "@" + peer.Version
			if err := l.download(ctx, peer.source(), query); err != nil {
				fmt.Fprintf(a.stderr, "left out: %v\n", err)
				continue
			}
			if p, err = l.pull(ctx, peer.source(), query); err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			rows = append(rows, sizesRow{name, false, p})
		}
	}
	return rows, nil
}

// readable says of a version that is a commit of which day that is.
func readable(version string) string {
	if made, err := modpath.PseudoVersionTime(version); err == nil {
		return "of " + made.Format(time.DateOnly)
	}
	return version
}

// pull builds a program and says what came.
func (l *lab) pull(ctx context.Context, source, query string) (pulled, error) {
	c, err := l.consumer()
	if err != nil {
		return pulled{}, err
	}
	defer os.RemoveAll(c.dir)
	if err := c.build(ctx, source, query); err != nil {
		return pulled{}, err
	}
	return c.pulled(ctx)
}

// download builds a program with the machine's own settings, so that what it
// needs is in the machine's module cache afterwards.
func (l *lab) download(ctx context.Context, source, query string) error {
	dir, err := os.MkdirTemp(l.dir, "download-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	c := &consumer{dir: dir, program: dir, env: append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=mod -buildvcs=false")}
	return c.build(ctx, source, query)
}

// sizesTable is in Markdown.
func sizesTable(rows []sizesRow) string {
	var b strings.Builder
	fmt.Fprintln(&b, "| a program over | downloaded | go.sum lines | compiled in | download | program |")
	fmt.Fprintln(&b, "|---|---:|---:|---:|---:|---:|")
	for _, r := range rows {
		name := r.Name
		if !r.Ours {
			name = "*" + name + "*"
		}
		fmt.Fprintf(&b, "%s %d | %.2f MB | %.1f MB |\n", sizesCounts(name, r.pulled), r.Compiled, float64(r.Download)/1e6, float64(r.Program)/1e6)
	}
	return b.String()
}

// sizesCounts is the part of a row that is the same on every machine.
func sizesCounts(name string, p pulled) string {
	return fmt.Sprintf("| %s | %d | %d |", name, len(p.Modules), p.SumLines)
}

const (
	sizesBegin = "<!-- sizes -->\n"
	sizesEnd   = "<!-- /sizes -->\n"
)

// writeSizes puts the table into README.md, between its markers.
func (w *workspace) writeSizes(rows []sizesRow) error {
	name := filepath.Join(w.Root, "README.md")
	readme, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	before, rest, begun := strings.Cut(string(readme), sizesBegin)
	_, after, ended := strings.Cut(rest, sizesEnd)
	if !begun || !ended {
		return fmt.Errorf("README.md has no lines %s and %s", strings.TrimSpace(sizesBegin), strings.TrimSpace(sizesEnd))
	}
	measured := fmt.Sprintf("\nMeasured with %s on %s/%s.\n", runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return os.WriteFile(name, []byte(before+sizesBegin+sizesTable(rows)+measured+sizesEnd+after), 0o644)
}

// stale says where the table in README.md has other counts than p.
func (w *workspace) stale(m module, p pulled) (findings, error) {
	readme, err := os.ReadFile(filepath.Join(w.Root, "README.md"))
	if err != nil {
		return nil, err
	}
	var list findings
	if row := sizesCounts(m.Dir, p); !strings.Contains(string(readme), row) {
		list.add(m.Dir, "sizes", "README.md lacks the row %s: go run ./tools/mod sizes --write", row)
	}
	return list, nil
}
