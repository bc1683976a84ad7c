package calls

import (
	"strings"
	"sync"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
)

// methods knows what the proto files say about methods: their idempotency_level.
type methods struct {
	levels sync.Map // of descriptorpb.MethodOptions_IdempotencyLevel by full method
}

// repeatable tells whether doing it twice is like doing it once.
func (m *methods) repeatable(method string) bool {
	return m.level(method) != descriptorpb.MethodOptions_IDEMPOTENCY_UNKNOWN
}

// readOnly tells whether doing it leaves no trace.
func (m *methods) readOnly(method string) bool {
	return m.level(method) == descriptorpb.MethodOptions_NO_SIDE_EFFECTS
}

func (m *methods) level(method string) descriptorpb.MethodOptions_IdempotencyLevel {
	if known, ok := m.levels.Load(method); ok {
		return known.(descriptorpb.MethodOptions_IdempotencyLevel) // nothing else is stored
	}
	level := declared(method)
	m.levels.Store(method, level)
	return level
}

// declared reads the descriptor of a method of the form /package.Service/Method; one that is not compiled in may do
// anything.
func declared(method string) descriptorpb.MethodOptions_IdempotencyLevel {
	name := strings.ReplaceAll(strings.TrimPrefix(method, "/"), "/", ".")
	d, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(name))
	if err != nil {
		return descriptorpb.MethodOptions_IDEMPOTENCY_UNKNOWN
	}
	options, _ := d.Options().(*descriptorpb.MethodOptions)
	return options.GetIdempotencyLevel()
}
