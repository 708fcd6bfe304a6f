{#-
  The snapshot materialization of this project: dbt's `check` strategy, made safe for daily full deliveries.

  Why not dbt-spark's (checked on dbt-adapters 1.24.5, dbt-spark 1.11.0): it dates versions by the wall clock, takes any
  delivery in any order, ends every row for an empty one, and fails for ever on a corrected one (dbt-core#7138,
  dbt-adapters#1329, #1401, #1759, #2101); and it evaluates the query three times. From dbt's strategy comes
  the comparison of `check_cols`, null-safe; macros/purchases/history.sql holds the rest. The key of a version is the
  purchase and its number, so that dbt's hash of both is not kept: random text was half of what a MERGE writes.

  What a run does, by the environment variable STRATA_HISTORY, which the command line `strata` sets:
    (not set): load what has landed and take the oldest pending day, or the one that `snapshot_date` names
    catch-up: take every pending day; replay: the same, from STRATA_REPLAY_FROM on, whatever the history held of it
    rebuild: put the whole history, as the model `meta.rebuilt` derives it, in the place of what is there
-#}
{% materialization snapshot, adapter='spark' %}
    {%- set meta = config.get('meta') -%}
    {%- set relation = this.incorporate(type='table') -%}
    {%- if config.get('strategy') != 'check' or config.get('hard_deletes') != 'invalidate'
        or config.get('unique_key') is not string or config.get('check_cols') is string -%}
        {% do exceptions.raise_compiler_error(
            "Snapshot " ~ model.name ~ " must have the strategy check, hard_deletes invalidate, one column as unique_key and"
            ~ " a list of check_cols: this project has no other."
        ) %}
    {%- endif -%}
    {%- if flags.EMPTY -%}
        {% do exceptions.raise_compiler_error(
            'With --empty a snapshot would find nothing delivered: run it without, the history is as it was.'
        ) %}
    {%- endif -%}
    {%- if flags.FULL_REFRESH -%}
        {{ log("--full-refresh leaves the history " ~ relation ~ " as it is: 'strata rebuild' makes it anew.", info=True) }}
    {%- endif -%}
    {{ run_hooks(pre_hooks) }}

    {% do load_deliveries(meta) %}
    {%- if load_relation(relation) is none -%}
        {% do create_delta_table(model, relation, empty_history()) %}
    {%- endif -%}
    {%- set state = history_state(relation) -%}
    {%- set mode = env_var('STRATA_HISTORY', '') -%}
    {%- if mode == 'rebuild' -%}
        {% do rebuild_history(relation, state, meta) %}
    {%- else -%}
        {% do take_pending_days(relation, state, landed_days(meta), mode, compiled_code) %}
    {%- endif -%}
    {% call noop_statement('main', 'OK') -%} {%- endcall %}

    {{ run_hooks(post_hooks) }}
    {{ return({'relations': [relation]}) }}
{% endmaterialization %}


{#- Take what is pending; see the materialization for the modes. -#}
{% macro take_pending_days(relation, state, days, mode, sql) %}
    {%- set replay_from = env_var('STRATA_REPLAY_FROM', '') if mode == 'replay' else '' -%}
    {%- if mode == 'replay' and not days | selectattr('day', 'ge', replay_from) | list -%}
        {% do refuse(relation, {}, 'No snapshot has landed on ' ~ replay_from ~ ' or later: the last is of '
            ~ (days[-1].day if days else 'no day') ~ '.') %}
    {%- endif -%}
    {% do check_held_days(relation, state, days, replay_from) %}
    {%- set named = var('snapshot_date') | string if var('snapshot_date') and not mode else none -%}
    {%- if named is not none and named not in days | map(attribute='day') -%}
        {% do refuse(relation, {}, 'No snapshot of ' ~ named ~ ' has landed in ' ~ env_var('STRATA_LANDING')
            ~ '/purchases: name a day that has, or leave snapshot_date out to take the oldest pending one.') %}
    {%- endif -%}
    {%- if replay_from -%}
        {% do start_replay(relation, state, days, replay_from) %}
    {%- endif -%}

    {%- set pending = days | selectattr('day') | selectattr('day', 'gt', state.through) | list -%}
    {%- if named is not none and holds(state, named) -%}
        {{ log('The history holds ' ~ named ~ ' with this content: nothing to do, '
            ~ counted(pending | length, 'day') ~ ' left.', info=True) }}
        {{ return(none) }}
    {%- endif -%}
    {%- if named is not none and pending and pending[0].day < named -%}
        {% do refuse(relation, {}, 'The snapshot of ' ~ pending[0].day ~ ' is older than that of ' ~ named
            ~ ' and not in the history yet: take it first, or all in order with \'strata catch-up\'.') %}
    {%- endif -%}
    {%- if not pending -%}
        {{ log('Nothing new: the history holds every landed day' ~ (', the last is ' ~ state.through if state.through else '')
            ~ '.', info=True) }}
        {%- if state.replay -%}
            {% do state.update({'replay': ''}) %}
            {% do set_history_state(relation, state) %}
        {%- endif -%}
        {{ return(none) }}
    {%- endif -%}

    {% do rewind_leftovers(relation, state) %}
    {%- set strategy = strategy_dispatch('check')(model, 'current_version', 'delivered', config, true) -%}
    {%- set current = namespace(count=run_query('select count(*) from ' ~ relation ~ ' where valid_to is null')[0][0] | int) -%}
    {%- for day in (pending if mode else pending[:1]) -%}
        {%- if day.fault -%}
            {% do refuse(relation, state, 'The snapshot of ' ~ day.day ~ ' is refused, ' ~ day.fault
                ~ '; mend it, or take its folder away.') %}
        {%- endif -%}
        {% do warn_of_columns_gone(days, day, state) %}
        {%- set counts = take_day(relation, state, day, current.count, strategy, sql) -%}
        {%- set left = pending | length - loop.index -%}
        {%- if left == 0 -%}
            {% do state.update({'replay': ''}) %}
        {%- endif -%}
        {%- if counts is not none or left == 0 -%}
            {% do set_history_state(relation, state) %}
        {%- endif -%}
        {%- if counts is not none -%}
            {%- set current.count = current.count + counts.opened_count - counts.closed_count -%}
            {{ log(day.day ~ ': ' ~ counted(counts.opened_count, 'version') ~ ' opened, ' ~ counts.closed_count
                ~ ' closed; ' ~ counted(left, 'day') ~ ' left.', info=True) }}
        {%- endif -%}
    {%- endfor -%}
{% endmacro %}


{#- Warn when a day lacks a column beside the source's own that the day taken before it had. -#}
{% macro warn_of_columns_gone(days, day, state) %}
    {%- for before in days if before.day == state.through and day.row_count -%}
        {%- set gone = before.other_columns | reject('in', day.other_columns) | list -%}
        {%- if gone -%}
            {% do exceptions.warn(
                'The snapshot of ' ~ day.day ~ ' has no column ' ~ gone | join(', ') ~ ', which that of ' ~ before.day
                ~ ' had: it is null in the versions opened from now on.'
            ) %}
        {%- endif -%}
    {%- endfor -%}
{% endmacro %}


{#- A count with its noun: 1 day, 2 days. -#}
{% macro counted(count, noun) -%}
    {{ return(count ~ ' ' ~ noun ~ ('' if count == 1 else 's')) }}
{% endmacro %}


{#-
  Refuse to guess when a day that the history should hold has landed late, or again with other content, or cannot be
  read now; and when a file lies where no day is. A replay takes care of its own days, later ones excepted.
-#}
{% macro check_held_days(relation, state, days, replay_from) %}
    {%- for landed in days if not landed.day -%}
        {% do refuse(relation, {}, 'Purchases are refused, ' ~ landed.fault ~ '; move it to the folder of its day, or take it away.') %}
    {%- endfor -%}
    {%- for landed in days if landed.fault and landed.is_listed and (landed.day <= state.through or (replay_from and landed.day >= replay_from)) -%}
        {% do refuse(relation, {}, 'The snapshot of ' ~ landed.day ~ ' is refused, ' ~ landed.fault
            ~ '; put back what was there, mend it, or take its folder away.') %}
    {%- endfor -%}
    {%- for landed in days if landed.day <= state.through -%}
        {%- set is_held = holds(state, landed.day) -%}
        {%- set is_changed = is_held and landed.content is not none and state.days[landed.day][0] != landed.content -%}
        {%- if (is_changed or (not is_held and landed.is_listed)) and not (replay_from and landed.day >= replay_from) -%}
            {% do refuse(relation, {},
                'The snapshot of ' ~ landed.day ~ (' was delivered again with other content' if is_held else ' landed late')
                ~ ', and the history goes on to ' ~ state.through ~ ": play it again from there with 'strata replay --from "
                ~ landed.day ~ "'."
            ) %}
        {%- endif -%}
    {%- endfor -%}
{% endmacro %}


{#- Set the history back to before a day; the rows follow when the first day is taken. -#}
{% macro start_replay(relation, state, days, replay_from) %}
    {%- if not state.replay -%}
        {% do state.update({'replay': run_query('describe history ' ~ relation ~ ' limit 1')[0][0] | string}) %}
    {%- endif -%}
    {%- set before = state.days.keys() | select('lt', replay_from) | select('le', state.through) | sort -%}
    {% do state.update({'through': before[-1] if before else ''}) %}
    {% do set_history_state(relation, state) %}
{% endmacro %}


{#- Rows later than what the history holds were left by a run that was killed, or are to be played again. -#}
{% macro rewind_leftovers(relation, state) %}
    {%- set after = "> date'" ~ state.through ~ "'" if state.through else 'is not null' -%}
    {%- set left = run_query(
        'select count(*) from ' ~ relation ~ ' where recorded_on ' ~ after ~ ' or closed_on ' ~ after
    )[0][0] -%}
    {%- if left -%}
        {% do rewind_history(relation, state.through) %}
    {%- endif -%}
{% endmacro %}
