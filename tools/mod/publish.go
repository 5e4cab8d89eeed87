package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/modfile"
	modpath "golang.org/x/mod/module"
	"golang.org/x/mod/semver"
	"golang.org/x/mod/zip"
)

// publication is the released modules as a user would get them: a directory that
// GOPROXY can name as file://. Under a version that has a tag is what the tag
// holds. The files as they are now have a version, too.
type publication struct {
	*workspace
	Dir  string
	Tags map[string][]string // versions by directory of the module, the lowest first
	Now  map[string]string   // version of the files as they are now, by directory of the module
}

// publish writes to dir every released module as it is now, its last tag, and
// the siblings that these require.
func (w *workspace) publish(ctx context.Context, dir string) (*publication, error) {
	tags, err := w.versions(ctx)
	if err != nil {
		return nil, err
	}
	p := &publication{workspace: w, Dir: dir, Tags: tags, Now: map[string]string{}}
	for _, m := range w.released() {
		tags[m.Dir] = slices.DeleteFunc(tags[m.Dir], func(v string) bool {
			return modpath.CheckPathMajor(v, pathMajor(m.Path)) != nil // of core, when this is core/v2
		})
		if p.Now[m.Dir], err = p.nextVersion(ctx, m); err != nil {
			return nil, err
		}
	}
	for _, m := range w.released() {
		versions := []string{p.Now[m.Dir]}
		if last := p.last(m); last != "" {
			versions = append(versions, last)
		}
		for _, v := range versions {
			if _, err := p.add(ctx, m, v); err != nil {
				return nil, err
			}
		}
	}
	return p, nil
}

// in returns the module in that directory.
func (p *publication) in(dir string) module {
	return p.Modules[slices.IndexFunc(p.Modules, func(m module) bool { return m.Dir == dir })]
}

// last returns the last tagged version, "" before the first.
func (p *publication) last(m module) string {
	if tags := p.Tags[m.Dir]; len(tags) > 0 {
		return tags[len(tags)-1]
	}
	return ""
}

// nextVersion is the version of a module's files as they are now: that of the
// last tag if nothing has changed since, else the version that siblings require
// already although it has no tag yet, else one that comes after the last tag.
func (p *publication) nextVersion(ctx context.Context, m module) (string, error) {
	last := p.last(m)
	if last != "" {
		changed, err := p.changedFiles(ctx, m, last)
		if err != nil || len(changed) == 0 {
			return last, err
		}
	}
	next := ""
	for _, sibling := range p.released() {
		v := required(sibling.File, m.Path)
		if couldFollow(v, last) && semver.Compare(v, next) > 0 {
			next = v
		}
	}
	switch {
	case next != "":
		return next, nil
	case last == "" && pathMajor(m.Path) != "":
		return strings.TrimPrefix(pathMajor(m.Path), "/") + ".0.0", nil
	case last == "":
		return firstVersion, nil
	}
	var major, minor, patch int
	if _, err := fmt.Sscanf(last, "v%d.%d.%d", &major, &minor, &patch); err != nil {
		return "", fmt.Errorf("tag %s/%s: %w", m.Dir, last, err)
	}
	return fmt.Sprintf("v%d.%d.%d-next", major, minor, patch+1), nil
}

// couldFollow says whether v can become a tag after last: no placeholder, and no
// version that has been passed.
func couldFollow(v, last string) bool {
	return semver.IsValid(v) && semver.Prerelease(v) == "" && v != "v0.0.0" && semver.Compare(v, last) > 0
}

// required returns the version of path that a module requires, "" for none.
func required(file *modfile.File, path string) string {
	for _, r := range file.Require {
		if r.Mod.Path == path {
			return r.Mod.Version
		}
	}
	return ""
}

// unpublished returns what a module requires of siblings and nobody can get.
// In the repository the replace directives hide it.
func (p *publication) unpublished(m module) findings {
	var list findings
	for _, r := range p.siblings(m) {
		s, ok := p.find(r.Mod.Path)
		switch {
		case !ok || !s.Released():
			list.add(m.Dir, "placeholder", "requires %s, which is never released", r.Mod.Path)
		case !slices.Contains(p.Tags[s.Dir], r.Mod.Version) && r.Mod.Version != p.Now[s.Dir]:
			list.add(m.Dir, "placeholder", "requires %s %s, which is neither a tag nor the next version (%s)", r.Mod.Path, r.Mod.Version, p.Now[s.Dir])
		}
	}
	return list
}

// add publishes one version of a module, and the tagged siblings it requires. It
// returns the go.mod.
func (p *publication) add(ctx context.Context, m module, version string) (*modfile.File, error) {
	v := modpath.Version{Path: m.Path, Version: version}
	base, err := proxyBase(p.Dir, v)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(base + ".zip"); errors.Is(err, fs.ErrNotExist) {
		if slices.Contains(p.Tags[m.Dir], version) {
			err = p.addTag(ctx, m, v)
		} else {
			err = p.addFiles(ctx, m, v)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", v, err)
		}
	}
	text, err := os.ReadFile(base + ".mod")
	if err != nil {
		return nil, err
	}
	file, err := modfile.ParseLax(base+".mod", text, nil)
	if err != nil {
		return nil, err
	}
	for _, r := range file.Require {
		s, ok := p.find(r.Mod.Path)
		if !ok || !slices.Contains(p.Tags[s.Dir], r.Mod.Version) {
			continue
		}
		if _, err := p.add(ctx, s, r.Mod.Version); err != nil {
			return nil, err
		}
	}
	return file, nil
}

func (p *publication) addTag(ctx context.Context, m module, v modpath.Version) error {
	tag := m.Dir + "/" + v.Version
	goMod, err := p.git(ctx, "show", tag+":"+m.Dir+"/go.mod")
	if err != nil {
		return err
	}
	return writeProxy(p.Dir, v, []byte(goMod), func(out io.Writer) error {
		return zip.CreateFromVCS(out, v, p.Root, tag, m.Dir)
	})
}

func (p *publication) addFiles(ctx context.Context, m module, v modpath.Version) error {
	dir := filepath.Join(p.Root, m.Dir)
	goMod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil {
		return err
	}
	names, err := p.files(ctx, m)
	if err != nil {
		return err
	}
	var files []zip.File
	for _, name := range names {
		file := diskFile{dir, name}
		if _, err := file.Lstat(); errors.Is(err, fs.ErrNotExist) {
			continue // deleted, and git has not been told
		}
		files = append(files, file)
	}
	return writeProxy(p.Dir, v, goMod, func(out io.Writer) error { return zip.Create(out, v, files) })
}

// diskFile is a file for a zip.
type diskFile struct{ dir, name string }

func (f diskFile) Path() string                 { return f.name }
func (f diskFile) Lstat() (fs.FileInfo, error)  { return os.Lstat(filepath.Join(f.dir, f.name)) }
func (f diskFile) Open() (io.ReadCloser, error) { return os.Open(filepath.Join(f.dir, f.name)) }

// proxyBase is the path of a version's files in a proxy's directory, to which an
// ending is added: .info, .mod, .zip.
func proxyBase(dir string, v modpath.Version) (string, error) {
	path, err := modpath.EscapePath(v.Path)
	if err != nil {
		return "", err
	}
	version, err := modpath.EscapeVersion(v.Version)
	return filepath.Join(dir, path, "@v", version), err
}

// writeProxy adds a version to a proxy's directory, in the layout of
// https://go.dev/ref/mod#goproxy-protocol.
func writeProxy(dir string, v modpath.Version, goMod []byte, writeZip func(io.Writer) error) error {
	base, err := proxyBase(dir, v)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(base), 0o755); err != nil {
		return err
	}
	info, err := json.Marshal(struct {
		Version string
		Time    time.Time
	}{v.Version, time.Now().UTC()})
	if err != nil {
		return err
	}
	list, err := os.OpenFile(filepath.Join(filepath.Dir(base), "list"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(list, v.Version)
	err = errors.Join(err, list.Close(), os.WriteFile(base+".info", info, 0o644), os.WriteFile(base+".mod", goMod, 0o644))
	if err != nil {
		return err
	}
	out, err := os.Create(base + ".zip")
	if err != nil {
		return err
	}
	return errors.Join(writeZip(out), out.Close())
}
