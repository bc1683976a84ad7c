// Package kafka looks at a topic and its consumer group as a binding's user sees them, and changes nothing.
package kafka
