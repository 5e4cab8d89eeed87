package remote

import "testing"

func TestAppend(t *testing.T) {
	for name, c := range map[string]struct {
		used, room int
		inPlace    bool // the value is in the unused capacity of dst
		memory     string
	}{
		"in place":                        {3, 5, true, "dst"},
		"in place of empty memory":        {0, 5, true, "dst"},
		"room for a value that is not":    {3, 5, false, "dst"},
		"empty memory with room":          {0, 6, false, "dst"},
		"no room":                         {3, 4, false, "new"},
		"empty memory without room":       {0, 4, false, "value"},
		"neither memory nor capacity":     {0, 0, false, "value"},
		"no room after the used capacity": {3, 0, false, "new"},
	} {
		t.Run(name, func(t *testing.T) {
			memory := make([]byte, c.used+c.room, c.used+c.room+1)
			copy(memory, "dst")
			dst, value := memory[:c.used:c.used+c.room], []byte("value")
			if c.inPlace {
				value = append(dst[c.used:], value...)
			}
			got := Append(dst, value)
			if want := "dst"[:c.used] + "value"; string(got) != want {
				t.Errorf("%q; want %q", got, want)
			}
			is := "new"
			switch &got[0] {
			case &memory[:1][0]:
				is = "dst"
			case &value[0]:
				is = "value"
			}
			if is != c.memory {
				t.Errorf("the result is in memory of %s; want %s", is, c.memory)
			}
		})
	}
	if got := Append([]byte("dst"), nil); string(got) != "dst" {
		t.Errorf("an empty value appended = %q", got)
	}
}
