package driver

import (
	"fmt"
	"reflect"
	"slices"
	"sync"
)

// Setting is the declaration of one setting, for documentation and tools.
type Setting struct {
	Name     string // "CACHE_SHOP_DB", or "CACHE_OPTIONS.pool_size"
	Field    string // "Options.DB"; empty if the setting is not a field of Options
	Default  string // as text; empty for the zero value
	Help     string // the meaning, in a few words
	Min, Max string // bounds as text; empty for none
	Secret   bool   // never shown
	Required bool
	Nested   bool // settings of another backend; see [Settings.OpenNested]
}

// optionsKey is the setting that holds the options of a backend.
const optionsKey = "CACHE_OPTIONS"

// field is a declared setting and where its value goes.
type field struct {
	Setting
	index    []int // for reflect.Value.FieldByIndex
	typ      reflect.Type
	inside   bool // declared in an Options struct, in which zero means the default
	verbatim bool // text is not trimmed: secrets and prefixes
}

var fieldsOf sync.Map // reflect.Type to []field

// fields returns the declarations in the struct type t, outer fields first.
func fields(t reflect.Type) []field {
	if known, ok := fieldsOf.Load(t); ok {
		return known.([]field)
	}
	found := appendFields(nil, t, nil, "")
	for i, f := range found { // one secret declaration makes the setting secret
		found[i].Secret = slices.ContainsFunc(found, func(other field) bool { return other.Name == f.Name && other.Secret })
	}
	fieldsOf.Store(t, found)
	return found
}

func appendFields(found []field, t reflect.Type, index []int, prefix string) []field {
	var inner []reflect.StructField
	for i := range t.NumField() {
		sf := t.Field(i)
		_, nested := sf.Tag.Lookup("prefix")
		if nested && (sf.Type.Kind() != reflect.Struct || !sf.IsExported()) {
			panic(fmt.Sprintf("driver: the prefix of %s in %v is not of an exported struct", sf.Name, t))
		}
		if nested || sf.Anonymous && sf.Type.Kind() == reflect.Struct {
			inner = append(inner, sf)
			continue
		}
		name := settingName(sf.Tag, prefix)
		if name == "" {
			continue
		}
		f := field{
			Setting: Setting{
				Name: name, Default: sf.Tag.Get("default"), Help: sf.Tag.Get("help"),
				Min: sf.Tag.Get("min"), Max: sf.Tag.Get("max"), Required: sf.Tag.Get("required") == "true",
				Secret: sf.Type == secretType, Nested: sf.Type == nestedType,
			},
			index: append(index[:len(index):len(index)], i), typ: sf.Type,
			inside: t.Name() == "Options",
		}
		f.verbatim = f.Secret || sf.Tag.Get("verbatim") == "true"
		if f.inside {
			f.Field = "Options." + sf.Name
		}
		if !sf.IsExported() {
			panic(fmt.Sprintf("driver: %s in %v, which declares %s, is not exported", sf.Name, t, name))
		}
		if !f.isConvertible() {
			panic(fmt.Sprintf("driver: %s in %v, which declares %s, has a type that no setting can have: %v", sf.Name, t, name, sf.Type))
		}
		f.mustBeSound(t)
		found = append(found, f)
	}
	for _, sf := range inner {
		found = appendFields(found, sf.Type, append(index[:len(index):len(index)], sf.Index...), prefix+sf.Tag.Get("prefix"))
	}
	return found
}

func settingName(tag reflect.StructTag, prefix string) string {
	if name := tag.Get("option"); name != "" {
		return optionsKey + "." + name
	}
	if name := tag.Get("setting"); name != "" {
		return prefix + name
	}
	return ""
}

var (
	secretType      = reflect.TypeFor[Secret]()
	nestedType      = reflect.TypeFor[Nested]()
	unmarshalerType = reflect.TypeFor[Unmarshaler]()
)

// mustBeSound panics if a default or a bound cannot be converted to the type of the
// field. The author of the backend sees this mistake as soon as the package is
// imported.
func (f field) mustBeSound(in reflect.Type) {
	value := reflect.New(f.typ).Elem()
	for tag, text := range map[string]string{"default": f.Default, "min": f.Min, "max": f.Max} {
		if text == "" {
			continue
		}
		if err := f.convert(value, text); err != nil {
			panic(fmt.Sprintf("driver: %s of %s in %v: %q is %v", tag, f.Name, in, text, err))
		}
	}
}

// isHandle reports whether the field takes a Go value, such as a ready client.
func (f field) isHandle() bool {
	kind := f.typ.Kind()
	return (kind == reflect.Interface || kind == reflect.Pointer) && !reflect.PointerTo(f.typ).Implements(unmarshalerType)
}

// label names the setting and the field, for errors.
func (s Setting) label() string {
	if s.Field == "" {
		return s.Name
	}
	return s.Name + " (" + s.Field + ")"
}
