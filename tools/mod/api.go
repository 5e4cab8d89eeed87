package main

import (
	"context"
	"errors"
	"fmt"
	"go/types"
	"os"
	"slices"
	"strings"

	"golang.org/x/exp/apidiff"
	"golang.org/x/tools/go/packages"
)

// change is one difference between two versions of an API.
type change struct {
	Text     string
	Breaking bool
}

// diffAPI compares the exported API of a module in two directories.
func diffAPI(ctx context.Context, path, before, now string) ([]change, error) {
	was, err := loadAPI(ctx, path, before)
	if err != nil {
		return nil, fmt.Errorf("last tag: %w", err)
	}
	is, err := loadAPI(ctx, path, now)
	if err != nil {
		return nil, err
	}
	var changes []change
	for _, c := range apidiff.ModuleChanges(was, is).Changes {
		changes = append(changes, change{c.Message, !c.Compatible})
	}
	return changes, nil
}

// loadAPI reads the packages of the module in dir that users can import.
func loadAPI(ctx context.Context, path, dir string) (*apidiff.Module, error) {
	found, err := packages.Load(&packages.Config{
		Context: ctx,
		Dir:     dir,
		Env:     append(os.Environ(), "GOWORK=off"),
		Mode:    packages.NeedName | packages.NeedFiles | packages.NeedImports | packages.NeedTypes | packages.NeedTypesSizes | packages.NeedExportFile,
	}, "./...")
	if err != nil {
		return nil, err
	}
	var errs []error
	var public []*types.Package
	for _, p := range found {
		for _, e := range p.Errors {
			errs = append(errs, e)
		}
		if p.Name != "main" && !slices.Contains(strings.Split(p.PkgPath, "/"), "internal") {
			public = append(public, p.Types)
		}
	}
	return &apidiff.Module{Path: path, Packages: public}, errors.Join(errs...)
}
