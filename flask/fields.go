package flask

import (
	"cmp"
	"reflect"
	"slices"
	"strings"
	"sync"
)

// structField is a field that has a name in a dict.
type structField struct {
	name      string
	index     []int
	omitEmpty bool
}

// structFields are the fields of a struct type in their order, and their index by name.
type structFields struct {
	list   []structField
	byName map[string]int
}

var fieldCache sync.Map // from reflect.Type to *structFields

// fieldsOf returns the fields of a struct type by the rules of encoding/json: exported
// fields and those of embedded structs, named by the tag pickle, else json, else by
// their name.
func fieldsOf(t reflect.Type) *structFields {
	if known, ok := fieldCache.Load(t); ok {
		return known.(*structFields)
	}
	fields := &structFields{byName: map[string]int{}}
	fields.collect(t, nil)
	known, _ := fieldCache.LoadOrStore(t, fields)
	return known.(*structFields)
}

// collect adds the fields of t, which is embedded at index. Fields of embedded pointers
// are left out, because the pointer may be nil.
func (s *structFields) collect(t reflect.Type, index []int) {
	for i := range t.NumField() {
		f := t.Field(i)
		tag, tagged := f.Tag.Lookup("pickle")
		if !tagged {
			tag = f.Tag.Get("json")
		}
		name, options, _ := strings.Cut(tag, ",")
		at := append(slices.Clone(index), i)
		switch {
		case tag == "-":
		case f.Anonymous && name == "" && f.Type.Kind() == reflect.Struct:
			s.collect(f.Type, at)
		case f.IsExported() && !(f.Anonymous && f.Type.Kind() == reflect.Pointer):
			s.add(structField{cmp.Or(name, f.Name), at, options == "omitempty"})
		}
	}
}

// add adds a field unless there is one of the same name that is embedded less deeply.
func (s *structFields) add(f structField) {
	at, taken := s.byName[f.name]
	switch {
	case !taken:
		s.byName[f.name] = len(s.list)
		s.list = append(s.list, f)
	case len(f.index) < len(s.list[at].index):
		s.list[at] = f
	}
}

// field returns the field with a name, compared without case if none matches, as in
// encoding/json.
func (f *structFields) field(name string) (structField, bool) {
	if at, ok := f.byName[name]; ok {
		return f.list[at], true
	}
	for _, field := range f.list {
		if strings.EqualFold(field.name, name) {
			return field, true
		}
	}
	return structField{}, false
}
