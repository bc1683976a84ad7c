package balance

import (
	"sync/atomic"

	"google.golang.org/grpc/balancer"

	"movieexample.com/fleet/services/internal/discovery/balance/eject"
)

// picker draws a revision for each call by its weight.
//
// It draws at random, each call by itself. Counting calls off would come closer to the weights within one caller, but
// not in the sum of callers with few calls each, who would all begin at the same place; and a caller whose calls have a
// rhythm (first this method, then that one) would send the canary always the same ones. That the verdict on a canary may
// compare it with stable at all rests on the draw: it knows nothing of the call, nor of the calls before.
type picker struct {
	draw  func(n uint64) uint64 // uniform in [0, n), safe for concurrent use
	lots  []lot
	total uint64
}

type lot struct {
	end    uint64 // draws below it, and not below the lot's before, are this one's
	taker  balancer.Picker
	missed string // the revision that should have taken the calls, if its instances refuse them
}

func (p *picker) add(weight uint64, taker balancer.Picker, missed string) {
	p.total += weight
	p.lots = append(p.lots, lot{end: p.total, taker: taker, missed: missed})
}

// Pick is called by gRPC for each try of a call.
func (p *picker) Pick(info balancer.PickInfo) (balancer.PickResult, error) {
	at, i := p.draw(p.total), 0
	for at >= p.lots[i].end {
		i++
	}
	if picked, ok := info.Ctx.Value(pickedKey{}).(*Picked); ok {
		picked.missed.Store(&p.lots[i].missed)
	}
	return p.lots[i].taker.Pick(info)
}

// pool goes round its endpoints.
type pool struct {
	endpoints []endpoint
	next      atomic.Uint64
}

// newPool starts anywhere: pools are made anew at every change, and the first endpoint should not get the first call of
// each of them, nor of each caller.
func newPool(list []endpoint, draw func(uint64) uint64) *pool {
	p := &pool{endpoints: list}
	p.next.Store(draw(uint64(len(list))))
	return p
}

func (p *pool) Pick(info balancer.PickInfo) (balancer.PickResult, error) {
	picked, _ := info.Ctx.Value(pickedKey{}).(*Picked)
	e, trial := p.turn(picked.judged())
	if picked != nil {
		picked.revision.Store(&e.revision)
		picked.member.Store(e.member)
	}
	result, err := e.picker.Pick(info)
	switch {
	case e.member == nil || !picked.judged():
	case err == nil:
		result.Done = picked.judge(e, trial, result.Done)
	default:
		e.member.Done(trial, eject.Nothing)
	}
	return result, err
}

// turn is the next endpoint that is not left out. A call that nobody will judge does not try one that is.
func (p *pool) turn(judged bool) (e *endpoint, trial bool) {
	for range p.endpoints {
		e = &p.endpoints[p.next.Add(1)%uint64(len(p.endpoints))]
		if e.member == nil || !judged && e.member.In() {
			return e, false
		}
		if judged {
			if ok, trial := e.member.Take(); ok {
				return e, trial
			}
		}
	}
	return e, false // cannot be while at most half are left out; but a call is worth more than a rule
}
