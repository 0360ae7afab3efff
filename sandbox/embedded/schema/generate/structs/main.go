// Prints how the Go types of a pod template are built, as JSON: the hash in the names of ReplicaSets is one of the text
// that Go's debug printer makes of them.
package main

import (
	"encoding/json"
	"os"
	"reflect"
	"strings"

	core "k8s.io/api/core/v1"
)

type shape struct {
	// Fields in order: Go name, JSON name ("" for one that lies in its parent), type.
	Structs map[string][][3]string `json:"structs"`
	// Basic kind of named types.
	Named map[string]string `json:"named"`
}

func main() {
	out := shape{Structs: map[string][][3]string{}, Named: map[string]string{}}
	seen := map[reflect.Type]bool{}
	var visit func(t reflect.Type)
	visit = func(t reflect.Type) {
		if seen[t] {
			return
		}
		seen[t] = true
		name := t.String()
		switch t.Kind() {
		case reflect.Pointer, reflect.Slice:
			visit(t.Elem())
		case reflect.Map:
			visit(t.Key())
			visit(t.Elem())
		case reflect.Struct:
			if _, taken := out.Structs[name]; taken {
				panic("two types are called " + name)
			}
			out.Structs[name] = [][3]string{}
			if strings.HasPrefix(name, "resource.") || strings.HasPrefix(name, "intstr.") {
				return
			}
			for i := range t.NumField() {
				field := t.Field(i)
				tag, _, _ := strings.Cut(field.Tag.Get("json"), ",")
				out.Structs[name] = append(out.Structs[name], [3]string{field.Name, tag, field.Type.String()})
				if name != "time.Time" {
					visit(field.Type)
				}
			}
		default:
			if t.PkgPath() != "" {
				out.Named[name] = t.Kind().String()
			}
		}
	}
	visit(reflect.TypeFor[core.PodTemplateSpec]())
	if err := json.NewEncoder(os.Stdout).Encode(out); err != nil {
		panic(err)
	}
}
