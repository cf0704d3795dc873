//! The results as SVG plots: CPU per request and memory per connection by scenario and side, CPU per request
//! by the size of a table, latency by percentile of those that ran at an equal rate. A plot without figures
//! is not written.

use std::fs;
use std::io;
use std::ops::Range;
use std::path::Path;

use plotters::coord::ranged1d::ValueFormatter;
use plotters::prelude::*;

use crate::error::Error;
use crate::metric::Metric;
use crate::report::Results;
use crate::scenario::Load;
use crate::setup::Setup;
use crate::side::Side;
use crate::summary::Row;

const WIDTH: u32 = 960;
/// Height of a scenario with all its sides, and of what stands above and below them.
const SCENARIO_HEIGHT: u32 = 72;
const FRAME_HEIGHT: u32 = 80;
/// Room above the first scenario for the legend, in scenarios.
const LEGEND_SCENARIOS: f64 = 1.8;
const LINES_HEIGHT: u32 = 480;
/// Room for the legend above the greatest figure of an axis that begins at zero.
const LINES_HEADROOM: f64 = 1.4;
const FONT: &str = "sans-serif";
const PERCENTILES: [(Metric, &str); 4] = [
    (Metric::P50Us, "50 %"),
    (Metric::P90Us, "90 %"),
    (Metric::P99Us, "99 %"),
    (Metric::P999Us, "99.9 %"),
];

type Drawing<T> = Result<T, DrawingAreaErrorKind<io::Error>>;

/// Writes `cpu.svg`, `memory.svg`, `routes.svg`, `hosts.svg` and one of the latency for each scenario at a fixed
/// rate, by its name, into `folder`.
pub fn write(results: &Results, folder: &Path) -> Result<(), Error> {
    fs::create_dir_all(folder).map_err(Error::file(folder))?;
    let rows = &results.rows;
    let routes = |setup: &Setup| setup.virtual_hosts;
    let hosts = |setup: &Setup| setup.hosts;
    let mut plots = vec![
        ("cpu", by_scenario(rows, Metric::CpuUs, "CPU us per request")),
        ("memory", by_scenario(rows, Metric::IdleKib, "KiB per idle connection")),
        ("routes", by_size(rows, routes, "CPU us per request by virtual hosts and routes")),
        ("hosts", by_size(rows, hosts, "CPU us per request by hosts of the cluster")),
    ];
    for rows in rows.chunk_by(|row, next| row.scenario.name == next.scenario.name) {
        plots.extend(rows.first().map(|row| (row.scenario.name, latency(rows))));
    }
    for (name, plot) in plots {
        let path = folder.join(name).with_extension("svg");
        let plot = plot.map_err(|error| Error::file(&path)(io::Error::other(error)))?;
        if let Some(svg) = plot {
            fs::write(&path, svg).map_err(Error::file(path))?;
        }
    }
    Ok(())
}

/// A dot for the median of each side, on a line from the least to the greatest.
fn by_scenario(rows: &[Row], metric: Metric, title: &str) -> Drawing<Option<String>> {
    let rows: Vec<&Row> = rows.iter().filter(|row| row.figure(metric).is_some()).collect();
    let mut names: Vec<&str> = rows.iter().map(|row| row.scenario.name).collect();
    names.dedup();
    let figures = rows.iter().filter_map(|row| row.figure(metric));
    let Some(range) = around(figures.flat_map(|spread| [spread.min, spread.max])) else {
        return Ok(None);
    };
    let bottom_to_top = categories(names.len()).end..-0.5 - LEGEND_SCENARIOS;
    let scenarios = bottom_to_top.start - bottom_to_top.end;
    let height = FRAME_HEIGHT + (f64::from(SCENARIO_HEIGHT) * scenarios) as u32;
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, (WIDTH, height)).into_drawing_area();
        area.fill(&WHITE)?;
        let mut chart = ChartBuilder::on(&area)
            .caption(title, (FONT, 18))
            .margin(12)
            .x_label_area_size(32)
            .y_label_area_size(130)
            .build_cartesian_2d(range.log_scale(), bottom_to_top)?;
        chart
            .configure_mesh()
            .disable_y_mesh()
            .y_labels(scenarios as usize + 1)
            .y_label_formatter(&|at| name_at(&names, *at))
            .x_label_formatter(&|figure| format!("{figure}"))
            .label_style((FONT, 13))
            .draw()?;
        for side in Side::ALL {
            let dots = rows.iter().filter(|row| row.side == side).filter_map(|row| {
                let at = names.iter().position(|name| *name == row.scenario.name)?;
                Some((at as f64 + offset(side), row.figure(metric)?))
            });
            let dots: Vec<_> = dots.collect();
            let color = color(side);
            chart.draw_series(dots.iter().map(|(at, spread)| {
                PathElement::new([(spread.min, *at), (spread.max, *at)], color.stroke_width(2))
            }))?;
            let marks =
                chart
                    .draw_series(dots.iter().map(|(at, spread)| {
                        Circle::new((spread.median, *at), 4, color.filled())
                    }))?;
            if !dots.is_empty() {
                marks
                    .label(side.title())
                    .legend(move |(x, y)| Circle::new((x + 10, y), 4, color.filled()));
            }
        }
        legend(&mut chart, SeriesLabelPosition::UpperRight)?;
        area.present()?;
    }
    Ok(Some(svg))
}

/// A line for each side over what `size` tells of the scenarios that have one.
fn by_size(rows: &[Row], size: fn(&Setup) -> u32, title: &str) -> Drawing<Option<String>> {
    let dots = |side| {
        let own = rows.iter().filter(move |row| row.side == side);
        let sized = own.filter_map(|row| {
            let size = f64::from(size(&row.scenario.setup));
            Some((size, row.figure(Metric::CpuUs)?.median)).filter(|_| size > 0.0)
        });
        sized.collect::<Vec<_>>()
    };
    let all: Vec<_> = Side::ALL.into_iter().flat_map(dots).collect();
    let Some(sizes) = around(all.iter().map(|(size, _)| *size)) else { return Ok(None) };
    let greatest = all.iter().map(|(_, us)| *us).fold(0.0, f64::max);
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, (WIDTH, LINES_HEIGHT)).into_drawing_area();
        area.fill(&WHITE)?;
        let mut chart = ChartBuilder::on(&area)
            .caption(title, (FONT, 18))
            .margin(12)
            .x_label_area_size(32)
            .y_label_area_size(64)
            .build_cartesian_2d(sizes.log_scale(), 0.0..greatest * LINES_HEADROOM)?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .x_label_formatter(&|size| format!("{size}"))
            .label_style((FONT, 13))
            .draw()?;
        for side in Side::ALL {
            lines(&mut chart, side, dots(side))?;
        }
        legend(&mut chart, SeriesLabelPosition::UpperLeft)?;
        area.present()?;
    }
    Ok(Some(svg))
}

/// A line for each side of a scenario at a fixed rate.
fn latency(rows: &[Row]) -> Drawing<Option<String>> {
    let at_rate = |row: &&Row| matches!(row.scenario.load, Load::Open { .. }) && row.is_valid();
    let rows: Vec<&Row> = rows.iter().filter(at_rate).collect();
    let figures = rows.iter().flat_map(|row| percentiles(row));
    let Some(range) = around(figures.map(|(_, us)| us)) else { return Ok(None) };
    let names = PERCENTILES.map(|(_, name)| name);
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, (WIDTH, LINES_HEIGHT)).into_drawing_area();
        area.fill(&WHITE)?;
        let mut chart = ChartBuilder::on(&area)
            .caption("latency in us at an equal rate", (FONT, 18))
            .margin(12)
            .x_label_area_size(32)
            .y_label_area_size(64)
            .build_cartesian_2d(categories(names.len()), range.log_scale())?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .x_labels(names.len() + 1)
            .x_label_formatter(&|at| name_at(&names, *at))
            .y_label_formatter(&|us| format!("{us}"))
            .label_style((FONT, 13))
            .draw()?;
        for row in rows {
            lines(&mut chart, row.side, percentiles(row))?;
        }
        legend(&mut chart, SeriesLabelPosition::UpperLeft)?;
        area.present()?;
    }
    Ok(Some(svg))
}

/// The line of one side, with its name; nothing without dots.
fn lines<'a, X, Y>(
    chart: &mut ChartContext<'a, SVGBackend<'a>, Cartesian2d<X, Y>>,
    side: Side,
    dots: impl IntoIterator<Item = (f64, f64)>,
) -> Drawing<()>
where
    X: Ranged<ValueType = f64>,
    Y: Ranged<ValueType = f64>,
{
    let mut dots = dots.into_iter().peekable();
    if dots.peek().is_some() {
        let color = color(side);
        chart
            .draw_series(LineSeries::new(dots, color.stroke_width(2)).point_size(3))?
            .label(side.title())
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], color));
    }
    Ok(())
}

/// Places on the axis and microseconds.
fn percentiles(row: &Row) -> impl Iterator<Item = (f64, f64)> {
    let figures = PERCENTILES.iter().map(|(metric, _)| row.figure(*metric));
    figures.enumerate().filter_map(|(at, spread)| Some((at as f64, spread?.median)))
}

fn legend<'a, X, Y>(
    chart: &mut ChartContext<'a, SVGBackend<'a>, Cartesian2d<X, Y>>,
    position: SeriesLabelPosition,
) -> Drawing<()>
where
    X: Ranged<ValueType = f64> + ValueFormatter<f64>,
    Y: Ranged<ValueType = f64> + ValueFormatter<f64>,
{
    chart
        .configure_series_labels()
        .position(position)
        .background_style(WHITE.mix(0.85))
        .border_style(BLACK.mix(0.3))
        .label_font((FONT, 13))
        .draw()
}

/// An axis with room for `count` things, each at a whole number.
fn categories(count: usize) -> Range<f64> {
    -0.5..count as f64 - 0.5
}

/// The name for a tick of such an axis.
fn name_at(names: &[&str], at: f64) -> String {
    let names_at = names.iter().enumerate().find(|(index, _)| (*index as f64 - at).abs() < 1e-6);
    names_at.map(|(_, name)| (*name).to_owned()).unwrap_or_default()
}

/// The decades that hold `figures`, whose ends the axis names; none without any. What is not positive has
/// no place on a logarithmic axis.
fn around(figures: impl Iterator<Item = f64>) -> Option<Range<f64>> {
    let decades = figures.filter(|figure| *figure > 0.0).map(|figure| figure.log10().floor());
    let (min, max) = decades.fold((f64::INFINITY, f64::NEG_INFINITY), |(min, max), decade| {
        (min.min(decade), max.max(decade))
    });
    (min <= max).then(|| 10_f64.powf(min)..10_f64.powf(max + 1.0))
}

/// Where a side stands about its scenario, so that none hides another.
fn offset(side: Side) -> f64 {
    let order = Side::ALL.iter().position(|other| *other == side).unwrap_or_default();
    let middle = (Side::ALL.len() - 1) as f64 / 2.0;
    (order as f64 - middle) * 0.13
}

/// Told apart by people who see few colours, too.
fn color(side: Side) -> RGBColor {
    match side {
        Side::RingmainUring => RGBColor(0, 114, 178),
        Side::RingmainEpoll => RGBColor(86, 180, 233),
        Side::Envoy => RGBColor(213, 94, 0),
        Side::Nginx => RGBColor(0, 158, 115),
        Side::Haproxy => RGBColor(204, 121, 167),
        Side::Relay => RGBColor(120, 120, 120),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario;
    use crate::summary::Spread;

    fn row(scenario: &str, side: Side, figures: &[(Metric, f64)]) -> Row {
        let spread = |figure| Spread { median: figure, min: figure * 0.9, max: figure * 1.1 };
        let figures = figures.iter().map(|&(metric, figure)| (metric, spread(figure)));
        Row {
            scenario: scenario::by_names(&[scenario.to_owned()]).unwrap()[0],
            side,
            release: String::new(),
            outcome: Ok(figures.collect()),
            rounds: Vec::new(),
        }
    }

    fn assert_names(svg: &str, names: &[&str]) {
        for name in names {
            assert!(svg.lines().any(|line| line == *name), "{name} in {svg}");
        }
    }

    #[test]
    fn scenarios_sides_and_the_ends_of_the_axis_are_named() {
        let rows = [
            row("small", Side::Envoy, &[(Metric::CpuUs, 33.0)]),
            row("small", Side::Nginx, &[(Metric::CpuUs, 16.0)]),
            row("1m", Side::Envoy, &[(Metric::CpuUs, 814.0)]),
        ];
        let svg = by_scenario(&rows, Metric::CpuUs, "CPU").unwrap().unwrap();
        assert_names(&svg, &["small", "1m", "Envoy", "nginx", "10", "100", "1000", "CPU"]);
        assert!(by_scenario(&rows, Metric::IdleKib, "KiB").unwrap().is_none());
        assert!(latency(&rows).unwrap().is_none());
    }

    #[test]
    fn latencies_are_shown_by_percentile() {
        let figures: Vec<_> = PERCENTILES.iter().map(|&(metric, _)| (metric, 500.0)).collect();
        let svg = latency(&[row("open-loop", Side::Haproxy, &figures)]).unwrap().unwrap();
        assert_names(&svg, &["50 %", "90 %", "99 %", "99.9 %", "HAProxy", "100", "1000"]);
    }

    #[test]
    fn the_cost_is_shown_by_size() {
        let rows = [
            row("routes-1", Side::Nginx, &[(Metric::CpuUs, 16.0)]),
            row("routes-10000", Side::Nginx, &[(Metric::CpuUs, 19.0)]),
            row("small", Side::Envoy, &[(Metric::CpuUs, 33.0)]),
        ];
        let svg = by_size(&rows, |setup| setup.virtual_hosts, "CPU").unwrap().unwrap();
        assert_names(&svg, &["CPU", "nginx", "1", "10000"]);
        assert!(!svg.contains("Envoy"), "{svg}");
        assert!(by_size(&rows, |setup| setup.hosts, "CPU").unwrap().is_none());
    }

    #[test]
    fn an_axis_has_whole_decades() {
        assert_eq!(around([20.0, 814.0].into_iter()), Some(10.0..1000.0));
        assert_eq!(around([10.0].into_iter()), Some(10.0..100.0));
        assert_eq!(around([0.0].into_iter()), None);
    }
}
