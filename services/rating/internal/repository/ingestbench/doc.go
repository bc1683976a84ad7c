// Package ingestbench measures what ingested ratings cost a real MariaDB that writes every commit to its disk.
package ingestbench
