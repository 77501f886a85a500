"""The interactive pages on neurons, in a real browser: inputs are moved, and what is shown is the reference's."""

import math
from fractions import Fraction

import numpy as np
import pytest

from pysnn.conventions import Rule
from pysnn.reference import integrate_fire, leaky, temporal
from tests.cases import interactive_pages
from tests.cases.interactive_pages import in_chromium, number, slide
from tests.cases.tolerances import tol

browser = pytest.fixture(scope="module", params=interactive_pages.BROWSERS)(interactive_pages.browser)
visit = pytest.fixture(interactive_pages.visit)
pytestmark = pytest.mark.docs
STEPS = "(lines) => lines.map((line) => Number(line.dataset.step))"


# one neuron

EDGES = (                                    # z_in, w, at threshold 1
    ([1.0, 2.0], [2.0, -0.5]),               # the crossing falls on the next input
    ([1.0, 2.0, 2.0], [0.5, 1e17, -1e17]),   # a crossing that rounds to a tied input
    ([1.0, 1.0], [2.0, -1.5]),               # a tie that holds the neuron back
    ([1.0, 3.0], [0.5, 0.5]),                # S is the threshold
    ([1.0], [-1.0]), ([np.inf, np.inf], [3.0, 3.0]), ([1.0, 1e9], [1.0 + 1e-15, 2e-16]))


def random_neurons(n, rng):
    """Draw neurons, some with ties, silent inputs, sums at the threshold, several outputs."""
    yield from ((np.array(z), np.array(w)[:, None], 1.0, np.array([-1.5])) for z, w in EDGES)
    for k in range(n):
        n_in, n_out = rng.integers(1, 13), rng.integers(1, 4)
        t = rng.uniform(0, 3, n_in)
        z = np.exp(np.round(t, 0 if k % 5 == 0 else 6))
        z[rng.random(n_in) < 0.1] = np.inf
        w = rng.normal(0.3, 0.8, (n_in, n_out))
        yield z, np.round(w, 1) if k % 7 == 0 else w, float(rng.choice([1.0, 0.3, 0.7, 2.5])), rng.normal(size=n_out)


@in_chromium                                 # IEEE 754 fixes this arithmetic for every browser
def test_a_thousand_random_neurons_bit_for_bit(visit):
    page, cases = visit("neuron"), list(random_neurons(1000, np.random.default_rng(6)))
    got = page.evaluate("""(cases) => cases.map(([z_in, w, n_out, threshold, dz_out]) => {
        const {z_out, cache} = temporal.forward(z_in, w, n_out, threshold), {dz_in, dw} = temporal.backward(dz_out, cache);
        return [z_out, cache.margin, cache.z_bound, dz_in, dw].map((a) => Array.from(a)); })""",
                        [[z.tolist(), w.ravel().tolist(), w.shape[1], threshold, dz.tolist()] for z, w, threshold, dz in cases])
    n_fired = n_partial = 0
    for (z, w, threshold, dz), found in zip(cases, got, strict=True):
        z_out, cache = temporal.forward(z[None], w, threshold)
        dz_in, dw = temporal.backward(dz[None], cache)
        for ref, js in zip((z_out, cache.margin, cache.z_bound, dz_in, dw), found, strict=True):
            assert ref.ravel().tolist() == js
        n_fired += np.isfinite(z_out).sum() / z_out.size
        n_partial += ((z[:, None] < np.inf) & (z[:, None] >= cache.z_bound) & np.isfinite(z_out)).any()
    assert 300 < n_fired < 900 and n_partial > 100


def test_potential_is_that_of_the_definition(visit):
    rng = np.random.default_rng(0)
    t_in, w, t = rng.uniform(0, 3, 6), rng.normal(size=6), np.linspace(-1, 5, 61)
    sent = [t.tolist(), t_in.tolist(), w.tolist()]
    got = visit("neuron").evaluate("([t, t_in, w]) => t.map((x) => temporal.potential(x, t_in, w))", sent)
    ref = (1 - np.exp(-np.maximum(t[:, None] - t_in, 0))) @ w                    # (T2)
    np.testing.assert_allclose(got, ref, rtol=0, atol=tol("worked example"))


def inputs(page):
    """Read the inputs from the fields of the table, as a reader does."""
    t, w, threshold = page.evaluate("""() => ["#inputs input[data-of=t]", "#inputs input[data-of=w]", "#threshold"].map((which) =>
        [...document.querySelectorAll(which)].map((field) => Number(field.value)))""")
    return np.array(t), np.array(w), threshold[0]


def write(page, kind, i, text):
    """Write a number into the table, by the keys of a reader; Playwright's fill does not replace a number in Firefox."""
    page.locator(f"#inputs input[data-of={kind}]").nth(i).press("Control+a")
    page.keyboard.type(text)


def reference_neuron(t, w, threshold):
    """Return t_out, dt_out/dt_i and dt_out/dw_i."""
    z = np.exp(t)[None]
    z_out, cache = temporal.forward(z, w[:, None], threshold)
    dz_in, dw = temporal.backward(np.ones((1, 1)), cache)
    fired = np.isfinite(z_out[0, 0])
    return np.log(z_out[0, 0]), dz_in[0] * z[0] / z_out[0, 0] if fired else 0 * t, dw[:, 0] / z_out[0, 0] if fired else 0 * t


def agrees(page):
    """Compare the output spike, the gradient in the table and the arrows with the reference; return t_out."""
    t, w, threshold = inputs(page)
    t_out, dt, dw = reference_neuron(t, w, threshold)
    got = float(page.get_attribute("#t-out", "data-t").replace("Infinity", "inf"))
    assert got == pytest.approx(t_out, rel=tol("worked example"))
    for kind, ref in (("dt", dt), ("dw", dw)):
        table = page.locator(f"#inputs .{kind}").evaluate_all("(cells) => cells.map((cell) => Number(cell.dataset.value))")
        np.testing.assert_allclose(table, ref, rtol=tol("worked example"), atol=0)
    drawn = page.evaluate("""() => [...document.querySelectorAll("#plot g.arrow[data-input]")].map((g) => {
        const [x1, y1, x2, y2] = ["x1", "y1", "x2", "y2"].map((end) => Number(g.querySelector("line").getAttribute(end)));
        return [Number(g.dataset.input), g.classList.contains("along-t"), Number(g.dataset.gradient), x2 - x1, y1 - y2]; })""")
    assert len(drawn) == np.count_nonzero(dt) + np.count_nonzero(dw)
    for i, along_t, gradient, right, up in drawn:
        assert gradient == pytest.approx((dt if along_t else dw)[i], rel=tol("worked example"))
        assert np.sign(right if along_t else up) == -np.sign(gradient) and (up if along_t else right) == 0
    return got


def drag(page, i, dx, dy):
    page.locator("#plot").scroll_into_view_if_needed()
    box = page.locator("#plot g.handle .knob").nth(i).bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + dx / 2, y + dy / 2, steps=4)
    page.mouse.move(x + dx, y + dy, steps=4)
    page.mouse.up()


def test_worked_example(visit):
    page = visit("neuron")
    page.click("button[value=example]")
    assert agrees(page) == pytest.approx(1.8045807151057172, rel=tol("worked example"))
    assert page.inner_text("#t-out") == "1.80458 τ"
    rows = page.locator("#prefixes tr").all_inner_texts()
    assert "(T4) fails" in rows[0] and "fires" in rows[1] and "6.077" in rows[1] and "not asked" in rows[2]
    assert page.inner_text("#sum") == "1"


@pytest.mark.parametrize("width", [1280, 390])
def test_dragging_an_input_moves_the_output_as_the_reference_says(visit, width):
    page = visit("neuron", width)
    page.click("button[value=example]")
    before, (t, w, _) = agrees(page), inputs(page)
    drag(page, 1, 20, -10)
    after, (t_new, w_new, _) = agrees(page), inputs(page)
    assert t_new[1] > t[1] and w_new[1] > w[1] and (np.delete(t_new, 1) == np.delete(t, 1)).all() and after != before
    drag(page, 0, 15, -250)                                                     # far beyond the largest weight: the spike is not lost
    t, w, _ = inputs(page)
    assert t[0] > 0.1 and w[0] == 2.5 and agrees(page) != after


@in_chromium                                 # no protocol moves a finger in Firefox
def test_a_finger_drags_too(visit):
    page = visit("neuron", 390, has_touch=True)
    page.click("button[value=example]")
    page.locator("#plot").scroll_into_view_if_needed()
    box, (t, w, _) = page.locator("#plot g.handle .knob").nth(1).bounding_box(), inputs(page)
    touch = page.context.new_cdp_session(page)
    x, y = box["x"] + 20, box["y"] + 18                                         # not quite on the spike: the target is larger
    touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
    scrolled = page.evaluate("scrollY")
    for k in range(1, 11):
        touch.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [{"x": x + 2 * k, "y": y - 8 * k}]})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    t_new, w_new, _ = inputs(page)
    assert t_new[1] > t[1] and w_new[1] > w[1] + 0.8 and page.evaluate("scrollY") == scrolled
    agrees(page)


def test_keyboard_numbers_and_threshold(visit):
    page = visit("neuron")
    page.click("button[value=example]")
    page.locator("#plot g.handle").nth(1).focus()
    for key in ("ArrowLeft", "Shift+ArrowLeft", "ArrowUp", "Shift+ArrowUp"):
        page.keyboard.press(key)
    t, w, _ = inputs(page)
    assert (t[1], w[1]) == (0.89, 0.71)
    agrees(page)
    write(page, "w", 0, "1.37")
    assert inputs(page)[1][0] == 1.37
    agrees(page)
    page.locator("#threshold").focus()
    page.keyboard.press("ArrowLeft")
    assert inputs(page)[2] == 0.99
    agrees(page)
    page.click("#add")
    assert len(inputs(page)[0]) == 4
    agrees(page)
    page.click(".remove >> nth=0")
    assert len(inputs(page)[0]) == 3
    agrees(page)


def test_random_states_of_the_page(visit):
    page, rng, silent = visit("neuron"), np.random.default_rng(3), 0
    for _ in range(25):
        n = int(rng.integers(1, 9))
        t, w = np.round(rng.uniform(0, 4, n), 2), np.round(rng.uniform(-2.5, 2.5, n), 2)
        lists = [",".join(map(str, values)) for values in (t, w)]
        page.evaluate("(hash) => { location.hash = hash; }", f"t={lists[0]}&w={lists[1]}&threshold={rng.choice([0.5, 1, 1.7])}")
        page.wait_for_function("(n) => document.querySelectorAll('#inputs tr').length === n && state.t[0] === " + str(t[0]), arg=n)
        got = inputs(page)
        assert (got[0] == t).all() and (got[1] == w).all()
        silent += np.isinf(agrees(page))
    assert 3 < silent < 22


def test_jump_kink_and_silence_are_told_apart(visit):
    page = visit("neuron")
    assert page.get_attribute("#event", "data-kind") == "none"
    page.locator("#plot g.handle").nth(1).focus()      # the page starts with the jump: z = (1, z_2, 4), w = (2, -1.5, 1)
    times = []
    for _ in range(3):
        page.keyboard.press("Shift+ArrowLeft")
        times.append(float(page.get_attribute("#t-out", "data-t")))
    assert times == pytest.approx([math.log(2)] * 3, rel=tol("worked example"))
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    assert page.get_attribute("#event", "data-kind") == "jump" and page.locator("#plot .leap").count() == 1
    jump = page.evaluate("[event.state.t[1], event.before, event.after]")
    assert jump == pytest.approx([math.log(2), math.log(2), math.log(6)], rel=tol("identity"))
    assert "0.693" in page.inner_text("#event") and "1.792" in page.inner_text("#event")
    assert float(page.get_attribute("#t-out", "data-t")) > 1.79
    page.click("button[value=kink]")
    write(page, "t", 1, "0.6")
    assert page.get_attribute("#event", "data-kind") == "kink" and page.locator("#plot .leap").count() == 0
    page.click("button[value=margin]")
    write(page, "w", 0, "0.3")
    assert page.get_attribute("#event", "data-kind") == "silent" and page.inner_text("#t-out") == "never"


def test_the_curves_meet_what_they_say(visit):
    """V ends on the threshold at the output spike; the sweep has a gap where the jump is, and the tangent has the slope of the gradient."""
    page = visit("neuron")
    ends = page.evaluate("""() => { const path = document.querySelector("#potential"), end = path.getPointAtLength(path.getTotalLength());
        const th = document.querySelector("#plot .threshold"); return [end.y, th.y1.baseVal.value, end.x, scales.t(found.t_out)]; }""")
    assert ends[0] == pytest.approx(ends[1], abs=0.05) and ends[2] == pytest.approx(ends[3], abs=0.05)
    assert page.locator("#sweep .gap").count() == 1
    page.click("button[value=kink]")
    assert page.locator("#sweep .gap").count() == 0
    page.click("button[value=example]")
    page.locator("#plot g.handle").nth(1).focus()
    for by, k in (("t", 1), ("w", 2)):
        page.click(f"#sweep-by button[value={by}]")
        slope = float(page.get_attribute("#sweep .tangent", "data-slope"))
        assert slope == pytest.approx(reference_neuron(*inputs(page))[k][1], rel=tol("worked example"))


def test_a_new_address_is_not_overwritten(visit):
    """The page writes its state into the address 200 ms after a change, but not over an address that has come since."""
    page = visit("neuron")
    n = page.evaluate("""() => new Promise((resolve) => { change({...state, threshold: 2});
        for (const until = performance.now() + 300; performance.now() < until;);
        location.hash = "t=0&w=1&threshold=1";
        setTimeout(() => resolve(state.t.length), 400); })""")
    assert n == 1


def test_address_holds_the_state(visit):
    page = visit("neuron", state="#t=0,1.5&w=0.75,0.5&threshold=0.5&input=2&sweep=w")
    assert [a.tolist() for a in inputs(page)[:2]] == [[0, 1.5], [0.75, 0.5]] and page.inner_text("#chosen") == "2"
    write(page, "t", 1, "2.25")
    page.wait_for_function("location.hash.includes('t=0,2.25')")
    for bad in ("#t=0,1&w=1&threshold=1", "#t=x&w=1&threshold=1", "#t=0&w=9&threshold=1", "#<script>", "#t=&w=&threshold="):
        page.goto(page.url.split("#")[0] + bad)
        page.reload()
        assert len(inputs(page)[0]) == 3


# integrate-and-fire

@in_chromium
def test_a_thousand_random_runs_bit_for_bit(visit):
    page, rng, cases = visit("integrate-and-fire"), np.random.default_rng(1), []
    for k in range(1000):
        n_steps = int(rng.integers(1, 40))
        current = np.full(n_steps, np.round(rng.uniform(-0.5, 2), 2)) if k % 2 else rng.normal(0.3, 0.6, n_steps)
        cases.append([current.tolist(), float(rng.choice([0.25, 0.3, 0.7, 1.0, 2.0])), float(rng.choice([0.0, 0.5, -0.4, 1.3])),
                      {"reset": str(rng.choice(["subtract", "zero"])), "fire": str(rng.choice([">=", ">"]))}])
    got = page.evaluate("""(cases) => cases.map((c) => { const run = integrate_fire.forward(...c);
        return [Array.from(run.spikes), Array.from(run.u), run.v_final, run.counts]; })""", cases)
    alive = 0
    for (current, threshold, v_init, rule), (spikes, u, v_final, counts) in zip(cases, got, strict=True):
        ref, v, cache = integrate_fire.forward(np.array(current)[:, None], threshold, v_init, Rule(**rule))
        assert spikes == ref[:, 0].tolist() and u == cache.u[:, 0].tolist() and v_final == v[0] and counts == ref.sum()
        alive += 0 < counts < len(current)
    assert alive > 300


@in_chromium
def test_closed_forms_are_those_of_exact_fractions(visit):
    page, cases, refs = visit("integrate-and-fire"), [], []
    for a in range(-20, 251, 7):
        for threshold in (25, 30, 70, 100, 200):
            for n_steps in (1, 10, 15, 60):
                wait, n = Fraction(threshold, max(a, 1)), Fraction(n_steps * a, threshold)
                counts = {("zero", ">="): n_steps // math.ceil(wait), ("zero", ">"): n_steps // (math.floor(wait) + 1),
                          ("subtract", ">="): min(n_steps, math.floor(n)), ("subtract", ">"): min(n_steps, math.ceil(n) - 1)}
                for (reset, fire), ref in counts.items():
                    cases.append([a / 100, n_steps, threshold / 100, {"reset": reset, "fire": fire}])
                    refs.append(ref if a > 0 else 0)
    assert page.evaluate("(cases) => cases.map((c) => integrate_fire.promised(...c))", cases) == refs


def counted(page):
    """Compare what the page counts with the reference; return the count."""
    a, threshold, n_steps, v_init = number(page, "a", "threshold", "n_steps", "v_init")
    reset, fire = page.locator(":is(#reset, #fire) button[aria-pressed=true]").evaluate_all("(pressed) => pressed.map((b) => b.value)")
    spikes, _, _ = integrate_fire.forward(np.full((int(n_steps), 1), a), threshold, v_init, Rule(reset=reset, fire=fire))
    assert page.inner_text("#counts") == str(int(spikes.sum()))
    drawn = page.locator("#steps .spike").evaluate_all(STEPS)
    assert drawn == (np.flatnonzero(spikes) + 1).tolist()
    return int(spikes.sum())


def test_counts_follow_every_control(visit):
    page, seen = visit("integrate-and-fire"), set()
    moves = {"a": (0.1, 0.33, 0.7, 1.4, -0.2, 0.9), "threshold": (0.5, 1.75), "n_steps": (1, 37, 60), "v_init": (-0.5, 0.5, 2)}
    for name, values in moves.items():
        for value in values:
            slide(page, name, value)
            seen.add(counted(page))
    for press in ("#reset button[value=zero]", "#fire button[value='>']", "#reset button[value=subtract]"):
        page.click(press)
        seen.add(counted(page))
    assert len(seen) > 8
    knob = page.locator("#knob .knob")
    box, before = knob.bounding_box(), number(page, "a")
    page.mouse.move(box["x"] + 8, box["y"] + 8)
    page.mouse.down()
    page.mouse.move(box["x"] - 60, box["y"] + 8, steps=6)
    page.mouse.up()
    assert number(page, "a") < before - 0.1
    counted(page)
    page.keyboard.press("Shift+ArrowRight")
    assert number(page, "a") == pytest.approx(before - 0.2, abs=0.35)
    counted(page)


def test_what_the_page_asks_to_try_is_there_to_see(visit):
    page = visit("integrate-and-fire")
    page.click("button[value=staircase]")
    seen = set()
    for a in (0.51, 0.6, 0.75, 0.99):
        slide(page, "a", a)
        seen.add(counted(page))
    assert seen == {15}
    distance = {}
    page.click("button[value=longer]")
    for reset in ("subtract", "zero"):
        page.click(f"#reset button[value={reset}]")
        for n_steps in (4, 60):
            slide(page, "n_steps", n_steps)
            distance[reset, n_steps] = float(page.inner_text("#distance"))
    assert distance["subtract", 60] < 1 / 60 and distance["subtract", 4] > 0.2 and distance["zero", 60] > 0.4
    page.click("button[value=rounding]")
    assert counted(page) == 0 and page.inner_text("#promised").startswith("1") and "Rounding" in page.inner_text("#note")
    assert page.inner_text("#v_final") == "0.9999999999999999"
    slide(page, "threshold", 0.95)
    assert counted(page) == 1 and "Rounding" not in page.inner_text("#note")
    page.click("button[value=ceiling]")
    assert counted(page) == 14 and page.inner_text("#promised").startswith("14") and "Rounding" not in page.inner_text("#note")
    slide(page, "a", 1.5)
    assert counted(page) == 16 and "Saturated" in page.inner_text("#note")


def test_the_staircase_drawn_is_the_one_counted(visit):
    page = visit("integrate-and-fire", state="#a=0.7&threshold=0.8&n_steps=9&v_init=0.4&reset=zero&fire=>")
    got = np.array(page.evaluate("staircase(state, {reset: state.reset, fire: state.fire})"))
    spikes, _, _ = integrate_fire.forward(np.tile(got[:, 0], (9, 1)), 0.8, 0.4, Rule(reset="zero", fire=">"))
    assert (got[:, 1] == spikes.sum(axis=0) / 9).all() and len(set(got[:, 1])) > 4
    assert page.get_attribute("#staircase", "d").count("L") == len(got) - 1


# the leaky neuron

@in_chromium
def test_leaky_steps_bit_for_bit(visit):
    rng = np.random.default_rng(2)
    cases = [[rng.uniform(-5, 80), int(rng.integers(1, 60)), np.exp(-rng.uniform(0.01, 0.4)).item(), rng.choice([5, 15, 22.5]).item()]
             for _ in range(500)]
    got = visit("leaky").evaluate("(all) => all.map((c) => { const r = leaky.forward(...c); return [[...r.u], [...r.spikes]]; })", cases)
    alive = 0
    for (r_i, n_steps, beta, threshold), (u, spikes) in zip(cases, got, strict=True):
        ref, _, cache = leaky.forward(np.full((n_steps, 1, 1), r_i), beta, threshold, rule=Rule("zero", gain="1 - beta"))
        assert (spikes, u) == (ref.ravel().tolist(), leaky.potentials(cache).ravel().tolist())
        alive += 0 < ref.sum() < n_steps
    assert alive > 150


def told(page):
    """Compare the numbers and the spikes of the page with (M3) and the reference; return both rates."""
    current, tau, threshold, dt = number(page, "current", "tau", "threshold", "dt")
    r_i, n_steps = 100 * current, int(100 / dt + 1e-9)
    interval = tau * np.log(r_i / (r_i - threshold)) if r_i > threshold else np.inf
    run = leaky.forward(np.full((n_steps, 1, 1), float(r_i)), np.exp(-dt / tau), threshold, rule=Rule("zero", gain="1 - beta"))[0].ravel()
    drawn = page.locator("#potential [data-step]").evaluate_all(STEPS)
    assert drawn == (np.flatnonzero(run) + 1).tolist()
    assert page.locator("#potential [data-spike=time]").count() == np.floor(100 / interval)
    rates = [float(page.inner_text(f"#{name}")) for name in ("rate", "rate-in-steps")]
    wait = max(1, np.ceil(interval / dt)) if interval < np.inf else np.inf
    assert rates == pytest.approx([1000 / interval, 1000 / (wait * dt)], rel=1e-3)
    assert not drawn or drawn[0] == wait
    return tuple(rates)


def test_leaky_page_follows_every_control(visit):
    page, seen = visit("leaky"), set()
    moves = {"current": (0.0, 0.15, 0.155, 0.21, 0.8, 0.3), "tau": (3, 47, 20), "threshold": (7.5, 29.5, 15), "dt": (0.5, 2.5, 10, 4)}
    for name, values in moves.items():
        for value in values:
            slide(page, name, value)
            seen.add(told(page))
    assert len(seen) > 10 and (0, 0) in seen
    for preset, words in (("rheobase", "At the rheobase"), ("page", "becomes 2 steps of 10 ms"), ("fine", "steps of 0.5 ms")):
        page.click(f"button[value={preset}]")
        told(page)
        assert words in page.inner_text("#note")
    knob = page.locator("#knob")
    knob.focus()
    before = number(page, "current")
    page.keyboard.press("Shift+ArrowRight")
    assert number(page, "current") == pytest.approx(before + 0.05)
    box = page.locator("#knob .knob").bounding_box()
    page.mouse.move(box["x"] + 8, box["y"] + 8)
    page.mouse.down()
    page.mouse.move(box["x"] - 60, box["y"] + 8, steps=6)
    page.mouse.up()
    assert number(page, "current") < before
    told(page)
    at = page.evaluate("[scales.x(state.current), scales.y(Math.min(solve(state).rate, TOP))]")
    shown = page.get_attribute("#knob", "transform")[len("translate("):-1].split()
    assert [float(v) for v in shown] == pytest.approx(at, abs=0.01)


def test_address_of_the_leaky_page_holds_the_state(visit):
    page = visit("leaky", state="#current=0.42&tau=31&threshold=12.5&dt=2")
    assert number(page, "current", "tau", "threshold", "dt") == [0.42, 31, 12.5, 2]
    assert number(visit("leaky", state="#current=x&tau=&<b>"), "tau") == 20
