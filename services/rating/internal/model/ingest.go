package model

import "errors"

// ErrMoved is for a batch whose partition is not where the batch begins: another consumer has it, or somebody rewound it.
// Nothing was changed.
var ErrMoved = errors.New("the partition's position has moved")

// Source is a partition of a topic as one group reads it. TopicID is Kafka's: a topic made anew has another.
type Source struct {
	Group, Topic string
	TopicID      [16]byte
	Partition    int32
}

// Span is what a batch covers of its source: From is the offset that the source is at, Next the one after the batch.
type Span struct {
	Source

	From, Next int64
}

// Position is the next offset of a source.
type Position struct {
	Source

	Next int64
}
