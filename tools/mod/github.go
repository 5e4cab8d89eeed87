package main

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/cachebackends/cachebackends/tools/mod/internal/repo"
)

const dependabotFile = ".github/dependabot.yml"

// verifyGitHub checks that the updates of dependencies include every module and that
// workflows name each action by the hash of a commit: a tag can be moved.
func verifyGitHub(r *repo.Repo, list *repo.Findings) error {
	return errors.Join(verifyDependabot(r, list), verifyActions(r, list))
}

func verifyDependabot(r *repo.Repo, list *repo.Findings) error {
	text, err := os.ReadFile(filepath.Join(r.Root, dependabotFile))
	if err != nil {
		return err
	}
	var file struct {
		Updates []struct {
			Ecosystem   string `yaml:"package-ecosystem"`
			Directories []string
			Groups      map[string]any
		}
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		return fmt.Errorf("%s: %w", dependabotFile, err)
	}
	times := map[string]int{}
	for _, update := range file.Updates {
		if update.Ecosystem != "gomod" {
			continue
		}
		if len(update.Groups) == 0 {
			list.Add("", "dependabot", "%s: the update of %s has no groups", dependabotFile, strings.Join(update.Directories, ", "))
		}
		for _, dir := range update.Directories {
			times[strings.TrimPrefix(path.Clean(dir), "/")]++
		}
	}
	for _, m := range r.Modules {
		if n := times[m.Dir]; n != 1 {
			list.Add(m.Dir, "dependabot", "%s names it %d times, want once", dependabotFile, n)
		}
		delete(times, m.Dir)
	}
	for dir := range times {
		list.Add("", "dependabot", "%s names /%s, which is not a module", dependabotFile, dir)
	}
	return nil
}

var (
	usesAction   = regexp.MustCompile(`(?m)^\s*(?:- )?uses: *(.*)$`)
	pinnedAction = regexp.MustCompile(`^[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$`)
)

func verifyActions(r *repo.Repo, list *repo.Findings) error {
	names, err := filepath.Glob(filepath.Join(r.Root, ".github", "workflows", "*.yml"))
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		for _, uses := range usesAction.FindAllStringSubmatch(string(text), -1) {
			if !strings.HasPrefix(uses[1], "./") && !pinnedAction.MatchString(uses[1]) {
				list.Add("", "actions", "%s: %q is not an action at a commit hash with its version as the comment", filepath.Base(name), uses[1])
			}
		}
	}
	return err
}

var dependabotDirectories = regexp.MustCompile(`directories:\n((?: +- /\S+\n)+)`)

// addToDependabot returns the text of dependabot.yml with a module in the first of its
// lists, which is that of released modules.
func addToDependabot(text []byte, dir string) ([]byte, error) {
	found := dependabotDirectories.FindSubmatchIndex(text)
	if found == nil {
		return nil, fmt.Errorf("%s has no list of directories", dependabotFile)
	}
	lines := slices.Collect(strings.Lines(string(text[found[2]:found[3]])))
	indent, _, _ := strings.Cut(lines[0], "-")
	lines = append(lines, indent+"- /"+dir+"\n")
	slices.Sort(lines)
	return slices.Concat(text[:found[2]], []byte(strings.Join(lines, "")), text[found[3]:]), nil
}
