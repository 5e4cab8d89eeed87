package driver

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Problems collects the mistakes in the Options of a backend, so that all of them are
// reported at once. Its methods take the Go names of fields; errors also name the
// settings.
type Problems struct {
	options reflect.Value
	path    string // of the settings inside the options of a wrapper, with a dot at its end; else empty
	errs    []error
	failed  map[string]bool // by setting, or field without one: zero instead of what was given
}

// Validator is implemented by Options whose fields depend on each other, or have
// rules that tags cannot express. Validate is called before the defaults are set: a
// zero field means its default.
type Validator interface {
	Validate(p *Problems)
}

// Add records a mistake in field. The text must not contain a secret.
func (p *Problems) Add(field, format string, args ...any) {
	f := p.field(field)
	p.add(f.Name, f.label(), fmt.Errorf(format, args...))
}

// Failed reports whether the given value of field was refused. The field is then zero,
// and no further mistake in it is recorded.
func (p *Problems) Failed(field string) bool { return p.failed[p.field(field).Name] }

// Exclusive records a mistake for each of others that is set together with field.
func (p *Problems) Exclusive(field string, others ...string) {
	for _, other := range others {
		if p.isSet(field) && p.isSet(other) {
			p.Add(field, "cannot be combined with %s", p.field(other).label())
		}
	}
}

// Requires records a mistake for each of others that is not set although field is
// set. The field needs all of them.
func (p *Problems) Requires(field string, others ...string) {
	for _, other := range others {
		if p.isSet(field) && !p.isSet(other) && !p.Failed(other) {
			p.Add(field, "has no effect without %s", p.field(other).label())
		}
	}
}

func (p *Problems) isSet(field string) bool { return !p.options.FieldByName(field).IsZero() }

// field returns the declaration of a field of the options.
func (p *Problems) field(name string) Setting {
	name = "Options." + name
	for _, f := range fields(p.options.Type()) {
		if f.Field == name {
			return f.Setting
		}
	}
	return Setting{Name: name}
}

// add records err, unless an error with the same text is recorded already, or the value
// of the setting was refused: err would be a consequence.
func (p *Problems) add(name, label string, err error) {
	err = fmt.Errorf("%s%s: %w", p.path, label, err)
	same := func(known error) bool { return known.Error() == err.Error() }
	if !p.failed[name] && !slices.ContainsFunc(p.errs, same) {
		p.errs = append(p.errs, err)
	}
}

// refuse records why the value of f is not used.
func (p *Problems) refuse(f field, format string, args ...any) {
	p.add(f.Name, f.label(), fmt.Errorf(format, args...))
	if p.failed == nil {
		p.failed = make(map[string]bool)
	}
	p.failed[f.Name] = true
}

// err returns all problems under [ErrInvalidSettings], one a line, or nil.
func (p *Problems) err() error {
	if len(p.errs) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrInvalidSettings, errors.Join(p.errs...))
}

// validate checks options, a pointer to a struct: the bounds of each declared field
// and what its Validate method finds.
func (p *Problems) validate(options any) {
	p.options = reflect.ValueOf(options).Elem()
	for _, f := range fields(p.options.Type()) {
		p.checkField(f, p.options.FieldByIndex(f.index), false)
	}
	if v, ok := options.(Validator); ok {
		v.Validate(p)
	}
}

// checkField checks the bounds of f. Zero is outside of them only if it is given: in
// a field of Options it means the default.
func (p *Problems) checkField(f field, value reflect.Value, given bool) {
	shown := value.Interface()
	if f.isSecret() {
		shown = Masked
	}
	switch {
	case value.IsZero() && f.Required:
		p.refuse(f, "missing%s", remedy(f.Help))
	case value.IsZero() && !given:
	case f.Min != "" && f.compare(value, f.Min) < 0:
		p.refuse(f, "%v is too small: at least %s", shown, f.Min)
	case f.Max != "" && f.compare(value, f.Max) > 0:
		p.refuse(f, "%v is too large: at most %s", shown, f.Max)
	}
}

func remedy(help string) string {
	if help == "" {
		return ""
	}
	return ": " + help
}

// compare compares value with a bound in a tag.
func (f field) compare(value reflect.Value, bound string) int {
	limit := reflect.New(f.typ).Elem()
	_ = f.convert(limit, bound) // mustBeSound has checked it
	switch {
	case value.CanInt():
		return cmp.Compare(value.Int(), limit.Int())
	case value.CanFloat():
		return cmp.Compare(value.Float(), limit.Float())
	}
	return strings.Compare(value.String(), limit.String())
}

// Complete checks options, a pointer to the Options of a backend, and then sets the
// defaults that its tags declare in place of zeros. The constructor of a backend
// calls it first. It reports all mistakes at once, by setting and field, in an error
// wrapping [ErrInvalidSettings]; options are then unchanged.
func Complete(options any) error {
	var p Problems
	p.validate(options)
	if err := p.err(); err != nil {
		return err
	}
	setDefaults(p.options, func(f field, value reflect.Value) bool { return value.IsZero() })
	return nil
}

// setDefaults sets the fields that lack a value to their defaults.
func setDefaults(target reflect.Value, lacks func(field, reflect.Value) bool) {
	for _, f := range fields(target.Type()) {
		if value := target.FieldByIndex(f.index); f.Default != "" && lacks(f, value) {
			_ = f.convert(value, f.Default) // mustBeSound has checked it
		}
	}
}

// CheckBorrowed returns an error if options, a pointer to a struct, has a field that
// is set and not in allowed: a borrowed client is already configured.
func CheckBorrowed(options any, allowed ...string) error {
	p := Problems{options: reflect.ValueOf(options).Elem()}
	for i := range p.options.NumField() {
		name := p.options.Type().Field(i).Name
		if p.isSet(name) && !slices.Contains(allowed, name) {
			p.Add(name, "the client is already configured: only %s may be set", strings.Join(allowed, ", "))
		}
	}
	return p.err()
}
