package proof

import (
	archive "archive/zip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/mod/modfile"
	modpath "golang.org/x/mod/module"
	"golang.org/x/mod/zip"

	"github.com/cachebackends/cachebackends/tools/mod/internal/repo"
)

// publish adds one version of a module to the proxy, with the tagged siblings that
// it requires, and returns its go.mod. A version that is not tagged has the files
// as they are now.
func (p *Proof) publish(ctx context.Context, m repo.Module, version string) (*modfile.File, error) {
	v := modpath.Version{Path: m.Path, Version: version}
	revision := p.tree
	if slices.Contains(p.tags[m.Dir], version) {
		revision = m.Dir + "/" + version
	}
	files, err := p.Archive(ctx, revision+":"+m.Dir)
	if err != nil {
		return nil, err
	}
	goMod, err := fs.ReadFile(files, "go.mod")
	if err != nil {
		return nil, fmt.Errorf("%s: %w", v, err)
	}
	if err := writeProxy(p.proxyDir(), v, goMod, files); err != nil {
		return nil, fmt.Errorf("%s: %w", v, err)
	}
	file, err := modfile.ParseLax("go.mod", goMod, nil)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", v, err)
	}
	for _, r := range file.Require {
		if s, ok := p.Find(r.Mod.Path); ok && slices.Contains(p.tags[s.Dir], r.Mod.Version) {
			if _, err := p.publish(ctx, s, r.Mod.Version); err != nil {
				return nil, err
			}
		}
	}
	return file, nil
}

// writeProxy adds a version to the directory of a proxy, unless it is there, in the
// layout of https://go.dev/ref/mod#goproxy-protocol.
func writeProxy(dir string, v modpath.Version, goMod []byte, files *archive.Reader) error {
	path, err := modpath.EscapePath(v.Path)
	if err != nil {
		return err
	}
	version, err := modpath.EscapeVersion(v.Version)
	if err != nil {
		return err
	}
	dir = filepath.Join(dir, path, "@v")
	base := filepath.Join(dir, version)
	if _, err := os.Stat(base + ".zip"); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	info, err := json.Marshal(map[string]any{"Version": v.Version, "Time": time.Now().UTC()})
	if err != nil {
		return err
	}
	list, err := os.OpenFile(filepath.Join(dir, "list"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(list, v.Version)
	if err := errors.Join(err, list.Close(), os.WriteFile(base+".info", info, 0o644), os.WriteFile(base+".mod", goMod, 0o644)); err != nil {
		return err
	}
	out, err := os.Create(base + ".zip")
	if err != nil {
		return err
	}
	var entries []zip.File
	for _, f := range files.File {
		if !f.FileInfo().IsDir() {
			entries = append(entries, entry{f})
		}
	}
	return errors.Join(zip.Create(out, v, entries), out.Close()) // without nested modules
}

// entry is a file of an archive for the zip of a module.
type entry struct{ *archive.File }

func (e entry) Path() string                { return e.Name }
func (e entry) Lstat() (fs.FileInfo, error) { return e.FileInfo(), nil }
