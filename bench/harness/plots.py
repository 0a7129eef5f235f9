# SPDX-License-Identifier: MIT
"""The plots, each as PNG and SVG; none where there is no matplotlib."""
import statistics

from .figures import OURS, ratio
from .tools import say

# One colour a contender, everywhere; ours is the one that stands out.
COLOURS = {'aioc': '#c0392b', 'libuv': '#34495e', 'epoll': '#95a5a6', 'Go': '#2e9bb3',
           'uvloop': '#e0a030', 'asyncio': '#7d6b9e', 'swapcontext': '#34495e'}
SIZES = {'1024': '1 KiB', '10240': '10 KiB', '102400': '100 KiB'}
WAYS = {'socket': 'sockets', 'stream': 'streams', 'protocol': 'protocols'}


def matplotlib():
    try:
        # pylint: disable=import-outside-toplevel
        import matplotlib
        matplotlib.use('Agg')
        import matplotlib.pyplot as plt
    except ImportError:
        say('plots: left out, for there is no matplotlib')
        return None
    plt.rcParams.update({'figure.dpi': 100, 'font.size': 10, 'axes.grid': True, 'grid.alpha': 0.3,
                         'axes.axisbelow': True, 'axes.spines.top': False,
                         'axes.spines.right': False, 'svg.hashsalt': 'aioc',
                         'legend.frameon': False})
    return plt


def save(plt, figure, folder, name):
    figure.tight_layout()
    for kind in ['png', 'svg']:
        figure.savefig(folder / f'{name}.{kind}', metadata={'Date': None} if kind == 'svg' else {})
    plt.close(figure)


def thousands(value, _position=None):
    return f'{value / 1000:g}k' if value >= 1000 else f'{value:g}'


def count_axis(axes):
    axes.set_xscale('log')
    axes.xaxis.set_major_formatter(lambda value, _: f'{value:,.0f}')


def bars(axes, groups, values):
    """values: {contender: [one for each group, None where there is none]}."""
    width = 0.8 / len(values)
    for i, (name, heights) in enumerate(values.items()):
        places = [g + (i - (len(values) - 1) / 2) * width for g in range(len(groups))]
        axes.bar(places, [height or 0 for height in heights], width * 0.92, label=name,
                 color=COLOURS.get(name))
    axes.set_xticks(range(len(groups)), groups)
    axes.grid(visible=False, axis='x')


def echo(plt, figures, folder, way):
    """One of the three plots that uvloop made known: messages a second by their size."""
    rates = figures.table('echo_rate')
    found = {size: rates.get(f'echo_{way} {size} x 10', {}) for size in SIZES}
    found = {size: rate for size, rate in found.items() if rate}
    names = [name for name in ['asyncio', 'uvloop', 'Go', 'libuv', 'epoll', OURS]
             if any(name in rate for rate in found.values())]
    if not found or OURS not in names:
        return None
    figure, axes = plt.subplots(figsize=(8, 4.2))
    bars(axes, [SIZES[size] for size in found],
         {name: [statistics.median(rate[name]) if rate.get(name) else None
                 for rate in found.values()] for name in names})
    axes.yaxis.set_major_formatter(thousands)
    axes.set_ylabel('messages a second')
    axes.set_xlabel('size of a message; 10 connections, one core for the server')
    axes.set_title(f'Echo server, {WAYS[way]}')
    axes.legend(ncols=3)
    save(plt, figure, folder, f'echo-{way}')
    return f'echo-{way}', f'messages a second of echo servers, by size: {WAYS[way]}'


def pieces(plt, figures, folder):
    """How many times what we need the others need, for each of the pieces."""
    labels = {label: found for label, found in figures.table('micro').items()
              if found.get(OURS) and len(found) > 1}
    names = [name for name in ['swapcontext', 'libuv', 'Go', 'uvloop', 'asyncio']
             if any(name in found for found in labels.values())]
    if not labels:
        return None
    figure, axes = plt.subplots(figsize=(8, 0.27 * len(labels) + 1.4))
    for name in names:
        points = [(1 / ratio(found[OURS], found[name]), label) for label, found in labels.items()
                  if found.get(name)]
        axes.scatter([x for x, _ in points], [y for _, y in points], label=name, s=36,
                     color=COLOURS[name], marker='s' if name == 'swapcontext' else 'o', zorder=3)
    axes.axvline(1, color=COLOURS[OURS], linewidth=2, label=OURS)
    axes.set_xscale('log')
    axes.xaxis.set_major_formatter(lambda x, _: f'{x:g}x')
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.set_xlabel('time for one operation, in times of what aioc needs')
    axes.legend(ncols=6, loc='lower center', bbox_to_anchor=(0.45, 1))
    save(plt, figure, folder, 'pieces')
    return 'pieces', 'what operations cost others, in times of what they cost aioc'


def curves(plt, figures, folder):
    """What one of N sleeping tasks costs, by N."""
    scale = figures.table('scale')
    lines = {'spawn_ns': 'ns to start one', 'wake_ns': 'ns to wake and join one',
             'rss_per_task': 'bytes of memory for one'}
    sizes = sorted({int(label.split()[1]) for label in scale})
    if len(sizes) < 2:
        return None
    figure, many = plt.subplots(1, len(lines), figsize=(10, 3.6))
    for axes, (line, what) in zip(many, lines.items()):
        for name in ['asyncio', 'uvloop', 'Go', OURS]:
            points = [(size, statistics.median(scale[f'{line} {size}'][name])) for size in sizes
                      if scale.get(f'{line} {size}', {}).get(name)]
            axes.plot([x for x, _ in points], [y for _, y in points], 'o-', label=name,
                      color=COLOURS[name], linewidth=2.5 if name == OURS else 1.5)
        count_axis(axes)
        axes.set_ylim(bottom=0)
        axes.yaxis.set_major_formatter(thousands)
        axes.set_title(what, fontsize=10)
        axes.set_xlabel('tasks')
    many[0].legend(loc='best')
    save(plt, figure, folder, 'crowds')
    return 'crowds', 'what one of N sleeping tasks costs, by N'


def connections(plt, figures, folder):
    """What a message costs the server, by the number of connections."""
    cpu = figures.table('echo_cpu')
    counts = [10, 100, 1000, 10000]
    figure, axes = plt.subplots(figsize=(8, 3.8))
    drawn = False
    for label, name, mode, style in [
            ('asyncio, streams', 'asyncio', 'stream', 'o-'),
            ('uvloop, streams', 'uvloop', 'stream', 'o-'),
            ('uvloop, protocols', 'uvloop', 'protocol', 's--'), ('Go', 'Go', 'stream', 'o-'),
            ('libuv', 'libuv', 'stream', 'o-'), ('aioc, streams', OURS, 'stream', 'o-'),
            ('aioc, protocols', OURS, 'protocol', 's--')]:
        points = [(count, statistics.median(cpu[f'echo_{mode} 1024 x {count}'][name]) / 1000)
                  for count in counts if cpu.get(f'echo_{mode} 1024 x {count}', {}).get(name)]
        if len(points) > 1:
            axes.plot([x for x, _ in points], [y for _, y in points], style, label=label,
                      color=COLOURS[name])
            drawn = True
    if not drawn:
        plt.close(figure)
        return None
    count_axis(axes)
    axes.set_ylim(bottom=0)
    axes.set_xlabel('connections, 1 KiB a message')
    axes.set_ylabel('µs of the server\'s processor time')
    axes.set_title('Echo server: one message')
    axes.legend(loc='center left', bbox_to_anchor=(1, 0.5))
    save(plt, figure, folder, 'connections')
    return 'connections', 'what a message costs an echo server, by the number of connections'


def draw(figures, folder):
    """{table: [(file's name without its end, what it shows)]}."""
    plt = matplotlib()
    if plt is None:
        return {}
    drawn = {
        'micro': [pieces(plt, figures, folder)],
        'scale': [curves(plt, figures, folder)],
        'echo_cpu': [connections(plt, figures, folder)],
        'echo_rate': [echo(plt, figures, folder, way) for way in WAYS],
    }
    return {table: [plot for plot in plots if plot] for table, plots in drawn.items()}
