// Package proof builds released modules as their users get them: from zips, without
// go.work and replace directives, in an empty module cache.
package proof

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/semver"

	"github.com/cachebackends/cachebackends/tools/mod/internal/repo"
)

// Proof is a module proxy with the released modules of a repository, and the
// programs that are built from it.
type Proof struct {
	*repo.Repo
	Next map[string]string // version of the files as they are now, by directory of the module

	tags    map[string][]string // versions by directory of the module, the lowest first
	tree    string              // git's tree of the files as they are now
	dir     string              // temporary
	proxies string              // GOPROXY: this proxy, the machine's module cache, the machine's proxies
	offline bool
	log     io.Writer
}

// Option changes how programs are built.
type Option func(*Proof)

// Offline builds programs without a network: modules of others come from the module
// cache of this machine alone. go mod tidy is left out, because it also loads what only
// tests of dependencies import.
func Offline(p *Proof) { p.offline = true }

// New publishes every released module as it is now and its last tag, with the
// tagged siblings that these require. The caller must call Close. Progress is
// written to log.
func New(ctx context.Context, r *repo.Repo, log io.Writer, options ...Option) (_ *Proof, err error) {
	p := &Proof{Repo: r, Next: map[string]string{}, log: log}
	for _, option := range options {
		option(p)
	}
	if p.tags, err = r.Versions(ctx); err != nil {
		return nil, err
	}
	if p.tree, err = r.Snapshot(ctx); err != nil {
		return nil, err
	}
	env, err := exec.CommandContext(ctx, "go", "env", "GOMODCACHE", "GOPROXY").Output()
	if err != nil {
		return nil, fmt.Errorf("go env: %w", err)
	}
	modcache, proxies, _ := strings.Cut(strings.TrimSpace(string(env)), "\n")
	if p.dir, err = os.MkdirTemp("", "mod-"); err != nil {
		return nil, err
	}
	if p.offline {
		proxies = "off"
	}
	p.proxies = "file://" + p.proxyDir() + ",file://" + filepath.Join(modcache, "cache", "download") + "," + proxies
	if err := p.publishAll(ctx); err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

// Close removes everything that was published and built.
func (p *Proof) Close() { os.RemoveAll(p.dir) }

func (p *Proof) proxyDir() string { return filepath.Join(p.dir, "proxy") }

func (p *Proof) publishAll(ctx context.Context) (err error) {
	for _, m := range p.Released() {
		p.tags[m.Dir] = slices.DeleteFunc(p.tags[m.Dir], func(v string) bool { return !m.Matches(v) }) // v1 of core if this is core/v2
		if p.Next[m.Dir], err = p.nextVersion(ctx, m); err != nil {
			return err
		}
	}
	for _, m := range p.Released() {
		for _, version := range []string{p.Next[m.Dir], p.last(m)} {
			if version == "" {
				continue
			}
			if _, err := p.publish(ctx, m, version); err != nil {
				return err
			}
		}
	}
	return nil
}

// last returns the last tagged version of m, "" before the first.
func (p *Proof) last(m repo.Module) string {
	if tags := p.tags[m.Dir]; len(tags) > 0 {
		return tags[len(tags)-1]
	}
	return ""
}

// nextVersion returns the version of the files of m as they are now: that of the
// last tag if nothing has changed since, else the version that siblings require
// already, else one that follows the last tag.
func (p *Proof) nextVersion(ctx context.Context, m repo.Module) (string, error) {
	last := p.last(m)
	if last != "" {
		changed, err := p.Changed(ctx, m, last, p.tree)
		if err != nil || len(changed) == 0 {
			return last, err
		}
	}
	next := ""
	for _, sibling := range p.Released() {
		v := sibling.Requires(m.Path)
		if semver.IsValid(v) && semver.Prerelease(v) == "" && v != "v0.0.0" && semver.Compare(v, last) > 0 && semver.Compare(v, next) > 0 {
			next = v
		}
	}
	switch {
	case next != "":
		return next, nil
	case last == "" && m.PathMajor() != "":
		return strings.TrimPrefix(m.PathMajor(), "/") + ".0.0", nil
	case last == "":
		return repo.FirstVersion, nil
	}
	return repo.NextVersion(last, false, false) + "-next", nil
}

// unavailable returns what m requires of siblings and nobody can get. Inside the
// repository the replace directives hide it.
func (p *Proof) unavailable(m repo.Module) (list repo.Findings) {
	for _, required := range p.Siblings(m) {
		s, ok := p.Find(required.Path)
		switch {
		case !ok || !s.Released():
			list.Add(m.Dir, "requirement", "requires %s, which is never released", required.Path)
		case !slices.Contains(p.tags[s.Dir], required.Version) && required.Version != p.Next[s.Dir]:
			list.Add(m.Dir, "requirement", "requires %s, which is neither tagged nor the next version (%s)", required, p.Next[s.Dir])
		}
	}
	return list
}
