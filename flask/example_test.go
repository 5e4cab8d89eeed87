package flask_test

import (
	"fmt"

	"github.com/cachebackends/cachebackends/flask"
)

// A value that Python pickled is read into a struct, and a struct is written as a dict.
func Example() {
	type user struct {
		ID   int    `json:"id"`
		Name string `json:"name"`
	}
	data, err := flask.Marshal(user{42, "Ada"})
	if err != nil {
		fmt.Println(err)
		return
	}
	var u user
	fmt.Println(flask.Unmarshal(data, &u), u)
	var dict any
	fmt.Println(flask.Unmarshal(data, &dict), dict)
	// Output:
	// <nil> {42 Ada}
	// <nil> map[id:42 name:Ada]
}

// A pickle that would run a command in Python is an error.
func ExampleUnmarshal() {
	var value any
	fmt.Println(flask.Unmarshal([]byte("cos\nsystem\n(S'rm -r /'\ntR."), &value))
	// Output:
	// stored value cannot be decoded: pickle refers to "os.system", which is not plain data
}

func ExampleViewKey() {
	fmt.Println(flask.ViewKey("/users/42", nil))
	// Output:
	// view//users/42
}
