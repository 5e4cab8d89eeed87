package main

import (
	"context"
	"errors"
	"fmt"
	"go/types"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/exp/apidiff"
	"golang.org/x/tools/go/packages"
)

// change is one difference between two versions of an API.
type change struct {
	Text     string `json:"text"`
	Breaking bool   `json:"breaking"`
}

// diffAPI compares what users can see of the module path: as it is in the
// directory before, and as it is in the directory now.
func diffAPI(ctx context.Context, path, before, now string) ([]change, error) {
	was, err := loadAPI(ctx, path, before)
	if err != nil {
		return nil, fmt.Errorf("%s as tagged: %w", path, err)
	}
	is, err := loadAPI(ctx, path, now)
	if err != nil {
		return nil, fmt.Errorf("%s as it is: %w", path, err)
	}
	var changes []change
	for _, c := range apidiff.ModuleChanges(was, is).Changes {
		changes = append(changes, change{c.Message, !c.Compatible})
	}
	return changes, nil
}

// loadAPI reads the packages of the module in dir that users can import. flags
// are given to the go command.
func loadAPI(ctx context.Context, path, dir string, flags ...string) (*apidiff.Module, error) {
	found, err := packages.Load(&packages.Config{
		Context:    ctx,
		Dir:        dir,
		Env:        append(os.Environ(), "GOWORK=off"),
		BuildFlags: flags,
		Mode:       packages.NeedName | packages.NeedFiles | packages.NeedImports | packages.NeedTypes | packages.NeedTypesSizes | packages.NeedExportFile,
	}, "./...")
	if err != nil {
		return nil, err
	}
	var errs []error
	var public []*types.Package
	for _, p := range found {
		errs = append(errs, mistakes(p.Errors)...)
		if p.Name != "main" && !slices.Contains(strings.Split(p.PkgPath, "/"), "internal") {
			public = append(public, p.Types)
		}
	}
	return &apidiff.Module{Path: path, Packages: public}, errors.Join(errs...)
}

// mistakes are those of the type checker, with their place. The go command tells
// of the same in its own words, which are needed only where it alone has any.
func mistakes(all []packages.Error) []error {
	var typed, others []error
	for _, e := range all {
		if e.Kind == packages.TypeError {
			what, _, _ := strings.Cut(e.Msg, "\n")
			typed = append(typed, fmt.Errorf("%s: %s", filepath.Base(e.Pos), what))
		} else {
			others = append(others, errors.New(e.Msg))
		}
	}
	if typed != nil {
		return typed
	}
	return others
}
