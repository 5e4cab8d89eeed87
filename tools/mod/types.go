package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/tools/go/packages"

	"github.com/cachebackends/cachebackends/tools/mod/internal/repo"
)

func (a *app) typesCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "types GOOS/GOARCH...",
		Short: "Check the types of what users compile for other platforms",
		Long: `Check the types of the released modules and of cachectl, with their tests, for other
platforms: a name or a file that one of them lacks, a constant that does not fit in 32
bits. Nothing is compiled, which would take minutes for each platform.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, platforms []string) error {
			r, err := repo.Open(a.root)
			if err != nil {
				return err
			}
			var all repo.Findings
			for _, platform := range platforms {
				list, err := checkTypes(cmd.Context(), r, platform)
				if err != nil {
					return fmt.Errorf("%s: %w", platform, err)
				}
				all = append(all, list...)
			}
			return a.report(all)
		},
	}
}

func checkTypes(ctx context.Context, r *repo.Repo, platform string) (repo.Findings, error) {
	system, arch, ok := strings.Cut(platform, "/")
	if !ok {
		return nil, fmt.Errorf("want GOOS/GOARCH, for example windows/amd64")
	}
	var patterns []string
	for _, m := range r.Modules {
		if m.Released() || m.Dir == "tools/cachectl" {
			patterns = append(patterns, "./"+m.Dir+"/...")
		}
	}
	found, err := packages.Load(&packages.Config{
		Mode:    packages.LoadAllSyntax,
		Context: ctx,
		Dir:     r.Root,
		Env:     append(os.Environ(), "GOOS="+system, "GOARCH="+arch, "CGO_ENABLED=0"),
		Tests:   true,
	}, patterns...)
	if err != nil {
		return nil, err
	}
	var list repo.Findings
	seen := map[string]bool{} // a file of a package is a file of the package with its tests, too
	packages.Visit(found, nil, func(p *packages.Package) {
		for _, e := range p.Errors {
			place := strings.TrimPrefix(e.Pos, r.Root+string(filepath.Separator))
			if text := place + " " + e.Msg; !seen[text] {
				seen[text] = true
				list.Add(place, platform, "%s", e.Msg)
			}
		}
	})
	slices.SortFunc(list, func(a, b repo.Finding) int { return strings.Compare(a.Module, b.Module) })
	return list, nil
}
