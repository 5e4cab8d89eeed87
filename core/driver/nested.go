package driver

import (
	"context"
	"errors"
	"fmt"
)

// Nested is the type of an option that holds the settings of another backend, for a
// wrapper: a map of CACHE_* names, or a JSON object as text. See
// [Settings.OpenNested].
type Nested map[string]any

// UnmarshalSetting takes a map or a JSON object as text.
func (n *Nested) UnmarshalSetting(value any) error {
	settings, err := toMap(value)
	*n = settings
	return err
}

// OpenNested opens the backends whose settings are in the named options of a wrapper,
// such as "far" for CACHE_OPTIONS.far, and returns them in the order of names. The
// options are declared with the type [Nested].
//
// It calls Check(options). A nested map has the checks of the outer settings, and
// every setting in it must be one that its backend reads. Mistakes are recorded with
// their path, such as CACHE_OPTIONS.far.CACHE_TYPE, and all are reported at once.
// After an error nothing stays open. CACHE_KEY_PREFIX and the other settings that
// package cache reads are not allowed inside; [Settings.Common] of a nested backend
// returns the outer ones.
func (s *Settings) OpenNested(ctx context.Context, options any, names ...string) ([]Backend, error) {
	opened := make([]Backend, len(names))
	var failures []error
	for i, name := range names {
		inner := s.nested(name)
		if inner == nil {
			continue
		}
		backend, err := Open(ctx, inner)
		if err == nil {
			opened[i] = backend
			_ = inner.Check(nil) // in case the backend did not call it
		}
		found := inner.problems.errs
		s.problems.errs = append(s.problems.errs, found...)
		if err != nil && len(found) == 0 {
			failures = append(failures, fmt.Errorf("%s.%s: %w", optionsKey, name, err))
		}
	}
	err := errors.Join(append([]error{s.Check(options)}, failures...)...)
	if err == nil {
		return opened, nil
	}
	for _, backend := range opened {
		if backend != nil {
			_ = backend.Close() // the caller gets the reason why it is not used
		}
	}
	return nil, err
}

// nested returns the settings in an option, or nil after recording why there are none.
func (s *Settings) nested(name string) *Settings {
	name = optionsKey + "." + name
	if !s.Has(name) {
		s.Fail(name, "missing: the settings of a backend, such as {%q: %q}", typeKey, "simple")
		return nil
	}
	var settings Nested
	given := s.value(name)
	if text, ok := asText(given); ok {
		given = trim(text)
	}
	if settings.UnmarshalSetting(given) != nil {
		s.Fail(name, "%w", errMap) // unless Bind has recorded it
		return nil
	}
	inner := newSettings(settings, s.problems.path+name+".")
	typ := inner.Common().Type
	inner.values().common = s.Common()
	inner.values().common.Type = typ
	if !inner.Has(typeKey) {
		inner.Fail(typeKey, "missing: name of the backend")
		s.problems.errs = append(s.problems.errs, inner.problems.errs...)
		return nil
	}
	for _, outer := range commonSettings {
		if outer.Name != typeKey && outer.Name != optionsKey && inner.Has(outer.Name) {
			inner.Fail(outer.Name, "has no effect on a nested backend: set it beside the outer %s", typeKey)
		}
	}
	if flask := s.value(flaskKey); flask != nil && inner.declaresFlask() {
		inner.values().given = withFlask(settings, flask)
	}
	return inner
}

// isNested reports whether s are the settings of a nested backend. Nobody else reads
// them, so that every setting that the backend does not read is a mistake.
func (s *Settings) isNested() bool { return s.problems.path != "" }
