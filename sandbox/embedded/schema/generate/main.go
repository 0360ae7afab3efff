// Prints what Kubernetes' own Go types say about themselves: for every type reachable from the kinds
// that a default API server serves, its JSON fields with their protobuf numbers.
// `npm run generate:schema` turns the output into ../protobuf.json and ../types/*.ts.
package main

import (
	"encoding/json"
	"os"
	"reflect"
	"sort"
	"strconv"
	"strings"

	admissionv1 "k8s.io/api/admission/v1"
	apidiscoveryv2 "k8s.io/api/apidiscovery/v2"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metav1beta1 "k8s.io/apimachinery/pkg/apis/meta/v1beta1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	metricsv1beta1 "k8s.io/metrics/pkg/apis/metrics/v1beta1"
)

// Field is one JSON field: name, protobuf number, scalar or reference, repeated or map, inlined into its parent.
type Field struct {
	Name      string `json:"name"`
	Number    int    `json:"number"`
	Type      string `json:"type"`
	Container string `json:"container,omitempty"`
	Inline    bool   `json:"inline,omitempty"`
	Optional  bool   `json:"optional,omitempty"`
	Pointer   bool   `json:"pointer,omitempty"`
	OmitZero  bool   `json:"omitZero,omitempty"`
}

type output struct {
	Kinds map[string]string  `json:"kinds"`
	Types map[string][]Field `json:"types"`
}

var served = map[string]bool{
	"v1": true, "apps/v1": true, "batch/v1": true, "autoscaling/v1": true, "autoscaling/v2": true,
	"policy/v1": true, "networking.k8s.io/v1": true, "rbac.authorization.k8s.io/v1": true,
	"storage.k8s.io/v1": true, "coordination.k8s.io/v1": true, "discovery.k8s.io/v1": true,
	"events.k8s.io/v1": true, "admissionregistration.k8s.io/v1": true, "apiextensions.k8s.io/v1": true,
	"apiregistration.k8s.io/v1": true, "certificates.k8s.io/v1": true, "scheduling.k8s.io/v1": true,
	"node.k8s.io/v1": true, "flowcontrol.apiserver.k8s.io/v1": true, "authentication.k8s.io/v1": true,
	"authorization.k8s.io/v1": true, "resource.k8s.io/v1": true, "metrics.k8s.io/v1beta1": true,
	"admission.k8s.io/v1": true, "apidiscovery.k8s.io/v2": true, "meta.k8s.io/v1": true, "meta.k8s.io/v1beta1": true,
}

var out = output{Kinds: map[string]string{}, Types: map[string][]Field{}}

func typeName(t reflect.Type) string {
	path := strings.TrimPrefix(t.PkgPath(), "k8s.io/")
	path = strings.NewReplacer("apiextensions-apiserver/pkg/apis/apiextensions", "apiextensions",
		"kube-aggregator/pkg/apis/apiregistration", "apiregistration", "metrics/pkg/apis/metrics", "metrics",
		"apimachinery/pkg/apis/meta", "meta", "apimachinery/pkg/", "", "api/resource", "resource").Replace(path)
	path = strings.TrimPrefix(path, "api/")
	return strings.ReplaceAll(path, "/", ".") + "." + t.Name()
}

func scalar(t reflect.Type, wire string) string {
	switch t.Kind() {
	case reflect.String:
		return "string"
	case reflect.Bool:
		return "bool"
	case reflect.Int32, reflect.Uint32, reflect.Int, reflect.Int16, reflect.Uint16, reflect.Uint8:
		return "int32"
	case reflect.Int64, reflect.Uint64:
		return "int64"
	case reflect.Float64, reflect.Float32:
		if strings.HasPrefix(wire, "fixed64") {
			return "double"
		}
		return "double"
	}
	return ""
}

func describe(t reflect.Type, wire string) (string, string) {
	for t.Kind() == reflect.Ptr {
		t = t.Elem()
	}
	switch {
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8:
		return "bytes", ""
	case t.Kind() == reflect.Slice:
		if t.Name() != "" { // a named list such as metav1.Verbs or ExtraValue is a message with one repeated field
			el, _ := describe(t.Elem(), "bytes")
			return "named:" + el, "list"
		}
		el, inner := describe(t.Elem(), wire)
		if inner == "list" {
			return el, "list"
		}
		return el, "list"
	case t.Kind() == reflect.Map:
		el, inner := describe(t.Elem(), "bytes")
		if inner == "list" {
			return el, "map-of-lists"
		}
		return el, "map"
	case t.Kind() == reflect.Struct:
		walk(t)
		return typeName(t), ""
	}
	return scalar(t, wire), ""
}

func walk(t reflect.Type) {
	name := typeName(t)
	if _, done := out.Types[name]; done {
		return
	}
	out.Types[name] = []Field{}
	fields := []Field{}
	for i := 0; i < t.NumField(); i++ {
		f := t.Field(i)
		tag, ok := f.Tag.Lookup("json")
		if !ok || tag == "-" {
			continue
		}
		parts := strings.Split(tag, ",")
		number, wire := 0, ""
		if pb := f.Tag.Get("protobuf"); pb != "" {
			bits := strings.Split(pb, ",")
			wire = bits[0]
			if len(bits) > 1 {
				number, _ = strconv.Atoi(bits[1])
			}
		}
		typ, container := describe(f.Type, wire)
		if el, named := strings.CutPrefix(typ, "named:"); named && container == "list" {
			// on the wire some are a message of their own, and some are like any other list
			if strings.Contains(f.Tag.Get("protobuf"), ",opt,") {
				container = ""
			} else {
				typ = el
			}
		}
		opts := strings.Join(parts[1:], ",")
		fields = append(fields, Field{Name: parts[0], Number: number, Type: typ, Container: container,
			Inline:   parts[0] == "" && strings.Contains(opts, "inline"),
			Optional: strings.Contains(opts, "omitempty") || strings.Contains(opts, "omitzero"), Pointer: f.Type.Kind() == reflect.Ptr,
			OmitZero: strings.Contains(opts, "omitzero")})
	}
	out.Types[name] = fields
}

// Of the meta group only what has a protobuf form: tables have none.
func addPartial(s *runtime.Scheme) error {
	s.AddKnownTypes(metav1.SchemeGroupVersion, &metav1.PartialObjectMetadata{}, &metav1.PartialObjectMetadataList{})
	s.AddKnownTypes(metav1beta1.SchemeGroupVersion, &metav1.PartialObjectMetadata{}, &metav1beta1.PartialObjectMetadataList{})
	return nil
}

func main() {
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{scheme.AddToScheme, apiextensionsv1.AddToScheme,
		apiregistrationv1.AddToScheme, metricsv1beta1.AddToScheme, admissionv1.AddToScheme, apidiscoveryv2.AddToScheme, addPartial} {
		if err := add(s); err != nil {
			panic(err)
		}
	}
	known := s.AllKnownTypes()
	gvks := make([]string, 0, len(known))
	for gvk, t := range known {
		gv := gvk.GroupVersion().String()
		if !served[gv] || t.Kind() != reflect.Struct {
			continue
		}
		walk(t)
		out.Kinds[gv+"/"+gvk.Kind] = typeName(t)
		gvks = append(gvks, gv)
	}
	sort.Strings(gvks)
	enc := json.NewEncoder(os.Stdout)
	enc.SetIndent("", "")
	if err := enc.Encode(out); err != nil {
		panic(err)
	}
}
