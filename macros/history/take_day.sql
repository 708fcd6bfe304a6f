{#- Take what is pending; see the materialization for the modes. -#}
{% macro _take_pending_days(source, relation, state, mode, sql) %}
    {%- set replay_from = var('replay_from') | string if mode == 'replay' else '' -%}
    {%- set snapshot_date = _limit_of(source, 'snapshot_date') -%}
    {%- set named = snapshot_date | string if snapshot_date and not mode else none -%}
    {%- set days = _landed_days(source, state, since=replay_from or none, named=named) -%}
    {%- set landed = days | selectattr('day') | list -%}
    {%- if mode == 'replay' and not landed | selectattr('day', 'ge', replay_from) | list -%}
        {% do exceptions.raise_compiler_error('No snapshot of ' ~ source.name ~ ' has landed on ' ~ replay_from ~ ' or later: the last is of '
            ~ (landed[-1].day if landed else 'no day') ~ '.') %}
    {%- endif -%}
    {% do _check_held_days(source, state, days, replay_from) %}
    {%- if named is not none and named not in landed | map(attribute='day') -%}
        {% do exceptions.raise_compiler_error('No snapshot of ' ~ named ~ ' has landed in ' ~ env_var('STRATA_LANDING') ~ '/'
            ~ source.name ~ ': name a day that has, or leave snapshot_date out to take the oldest pending one.') %}
    {%- endif -%}
    {%- if replay_from -%}
        {% do _start_replay(relation, state, replay_from) %}
    {%- endif -%}

    {#- A replay that was killed is played to its end, as one, before anything else: `last` is its last day. -#}
    {%- set last = '' -%}
    {%- if state.replay and mode != 'replay' -%}
        {%- set last = run_query('select cast(max(landed_on) as string) from (' ~ _known_days(state) ~ ')')[0][0] or '' -%}
        {%- set days = _landed_days(source, state, since=state.through, named=named) -%}
        {{ log('A replay of ' ~ source.name ~ ' was cut off: it is played to its end, ' ~ last ~ '.', info=True) }}
    {%- endif -%}

    {%- set pending = [] -%}
    {%- set withdrawn = [] -%}
    {%- for day in days if day.day and day.day > state.through -%}
        {% do (pending if day.is_listed or day.known is not none else withdrawn).append(day) %}
    {%- endfor -%}
    {% do _name_withdrawn_days(source, withdrawn | map(attribute='day') | list) %}
    {%- if named is not none and named <= state.through -%}
        {{ log('The history of ' ~ source.name ~ ' holds ' ~ named ~ ' with this content: nothing to do, '
            ~ _counted(pending | length, 'day') ~ ' left.', info=True) }}
        {{ return(none) }}
    {%- endif -%}
    {%- if named is not none and pending and pending[0].day < named -%}
        {% do exceptions.raise_compiler_error('The snapshot of ' ~ source.name ~ ' of ' ~ pending[0].day ~ ' is older than that of ' ~ named
            ~ ' and not in the history yet: take it first, or all in order with \'strata catch-up --source ' ~ source.name ~ '\'.') %}
    {%- endif -%}
    {%- if not pending -%}
        {{ log('Nothing new: the history of ' ~ source.name ~ ' holds every landed day' ~ (', the last is ' ~ state.through if state.through else '')
            ~ '.', info=True) }}
    {%- endif -%}
    {%- if state.replay and not pending | selectattr('day', 'le', last or '9999') | list -%}
        {% do state.update({'replay': ''}) %}
        {% do _set_history_state(relation, state) %}
    {%- endif -%}
    {%- if not pending -%}
        {{ return(none) }}
    {%- endif -%}

    {% do _rewind_history(relation, state) %}
    {%- set strategy = strategy_dispatch('check')(model, 'current_version', 'delivered', config, true) -%}
    {%- set current = namespace(
        count=run_query('select count(*) from ' ~ relation ~ ' where valid_to is null')[0][0] | int, is_taken=false
    ) -%}
    {%- for day in pending -%}
        {%- if mode or day.day <= last or not current.is_taken -%}
            {%- if day.fault and day.is_listed -%}
                {% do _refuse(relation, state, 'The snapshot of ' ~ source.name ~ ' of ' ~ day.day ~ ' is refused, ' ~ day.fault
                    ~ '; mend it, or take its folder away.') %}
            {%- endif -%}
            {% do _warn_of_columns_gone(source, days, day, state) %}
            {%- set counts = _take_day(source, relation, state, day, current.count, strategy, sql) -%}
            {%- set left = pending | length - loop.index -%}
            {%- if left == 0 or (day.day <= last and pending[loop.index].day > last) -%}
                {% do state.update({'replay': ''}) %}
            {%- endif -%}
            {% do _set_history_state(relation, state) %}
            {%- set current.is_taken = day.day > last -%}
            {%- set current.count = current.count + counts.opened_count - counts.closed_count -%}
            {{ log(source.name ~ ' ' ~ day.day ~ ': ' ~ _counted(counts.opened_count, 'version') ~ ' opened, ' ~ counts.closed_count
                ~ ' closed; ' ~ _counted(left, 'day') ~ ' left.', info=True) }}
        {%- endif -%}
    {%- endfor -%}
{% endmacro %}


{#- A count with its noun: 1 day, 2 days. -#}
{% macro _counted(count, noun) -%}
    {{ return(count ~ ' ' ~ noun ~ ('' if count == 1 else 's')) }}
{% endmacro %}


{#-
  Take one landed day into the history: `sql` gives the judged rows of every landed day, `current_count` says how many are
  current before it, `strategy` is dbt's check strategy. Returns the counts opened_count and closed_count.
-#}
{% macro _take_day(source, relation, state, day, current_count, strategy, sql) %}
    {%- set changes = 'changes__' ~ relation.schema ~ '__' ~ relation.identifier -%}
    {% do run_query('drop view if exists ' ~ changes) %}
    {% call statement('compare_day') -%}
        cache table {{ changes }} as
        {{ _changed_rows(source, relation, strategy, day.day, sql) }}
    {%- endcall %}
    {%- set row = run_query(
        "select count_if(_kind in ('opened', 'modified')), count_if(_kind in ('modified', 'removed')),"
        ~ " count_if(_kind = 'removed'), coalesce(sum(case when _kind = 'quarantined' then row_count end), 0)"
        ~ ' from ' ~ changes
    )[0] -%}
    {%- set opened_count, closed_count = row[0], row[1] -%}
    {%- set figures = _day_figures(day.row_count, row[3] | int, current_count, row[2] | int) -%}
    {%- set refusal = _gate(source, day, figures, day.known) -%}
    {%- if refusal is not none -%}
        {% do run_query('drop view if exists ' ~ changes) %}
        {% do _refuse(relation, state, refusal) %}
    {%- endif -%}
    {%- if opened_count or closed_count -%}
        {%- set others = _named_columns(day.other_columns, relation, history_columns(source, all=true)) -%}
        {% do _add_columns(relation, others) %}
        {% call statement('take_day') -%}
            {{ _merge_changed_rows(source, relation, changes, others) }}
        {%- endcall %}
    {%- endif -%}
    {% do run_query('drop view if exists ' ~ changes) %}
    {% do _record_day(state, day, day.known, _taken(day, figures, day.known)) %}
    {% do state.update({'through': day.day}) %}
    {{ return({'opened_count': opened_count, 'closed_count': closed_count}) }}
{% endmacro %}


{#-
  The keys that a day changes, by kind: `opened` (new, or back again), `modified`, `removed`, and `quarantined`
  (left as they are); the unchanged ones are not among them. One pass over the day and the current versions.

  The day comes in as a row, not as a literal: Spark writes literals into the code that it generates, and would compile
  it anew for each day.
-#}
{% macro _changed_rows(source, relation, strategy, day, sql) -%}
    with delivered as (
        {{ _daily_rows(source, sql, "landed_on = date'" ~ day ~ "'") }}
    ),

    current_version as (
        select * from {{ relation }}
        where valid_to is null
    ),

    compared as (
        select
            coalesce(delivered.{{ source.key }}, current_version.{{ source.key }}) as {{ source.key }},
            delivered.* except ({{ source.key }}),
            taken._taken_on,
            current_version.version as _current_number,
            current_version.valid_from as _current_valid_from,
            case
                when delivered.is_quarantined
                    then 'quarantined'
                when delivered.landed_on is null
                    then 'removed'
                when current_version.{{ source.key }} is null
                    then 'opened'
                when {{ strategy.row_changed }}
                    then 'modified'
            end as _kind
        from delivered
        full outer join current_version on delivered.{{ strategy.unique_key }} = current_version.{{ strategy.unique_key }}
        cross join values (date'{{ day }}') as taken (_taken_on)
    ),

    changed as (
        select * from compared
        where _kind is not null
    ),

    -- Of keys that come back, the versions that they had.
    ended as (
        select
            {{ source.key }},
            max(version) as _last_number,
            max(valid_to) as _last_valid_to
        from {{ relation }}
        where valid_to is not null
        group by {{ source.key }}
    )

    select
        changed.*,
        ended._last_number,
        ended._last_valid_to
    from changed
    left join ended on changed.{{ source.key }} = ended.{{ source.key }} and changed._kind = 'opened'
{%- endmacro %}


{#-
  Close and open versions of a table by what _changed_rows() gave, in one commit.

  No `with` here, nor wherever a cached query is read: inside of one Spark 4.1 does not find the query in its cache, and
  evaluates it again.
-#}
{% macro _merge_changed_rows(source, relation, changes, others) -%}
    merge into {{ relation }} as history
    using (
        select
            dated.*,
            steps._step,
            if(steps._step = 'close', dated.{{ source.key }}, null) as _closed_key,
            -- In a struct, where no name of theirs meets another.
            struct(
                {%- for column in others %}
                {{ _other_value(column) }} as `{{ column.column_name }}`,
                {%- endfor %}
                null as _none
            ) as _others
        from (
            select
                *,
                case
                    when _kind = 'removed'
                        then _taken_on
                    when _kind = 'modified' and date({{ source.valid_from }}) > _current_valid_from
                        then date({{ source.valid_from }})
                    when _kind = 'opened' and date({{ source.valid_from }}) >= coalesce(_last_valid_to, date({{ source.valid_from }}))
                        then date({{ source.valid_from }})
                    else _taken_on
                end as _changed_from,
                coalesce(_current_number, _last_number, 0) + 1 as version
            from {{ changes }}
            where _kind <> 'quarantined'
        ) as dated
        inner join values ('removed', 'close'), ('modified', 'close'), ('modified', 'open'), ('opened', 'open')
            as steps (_kind, _step)
            on dated._kind = steps._kind
    ) as change
    on history.{{ source.key }} = change._closed_key and history.valid_to is null
    when matched then update set valid_to = change._changed_from, closed_on = change._taken_on
    when not matched and change._step = 'open' then insert (
        {{ source.key }}, {{ history_columns(source) | join(', ') }}, version, valid_from, recorded_on
        {%- for column in others %}, `{{ column.column_name }}`{% endfor %}
    )
    values (
        change.{{ source.key }},
        {%- for column in history_columns(source) %}
        change.{{ column }},
        {%- endfor %}
        change.version,
        change._changed_from,
        change._taken_on
        {%- for column in others %}, change._others.`{{ column.column_name }}`{% endfor %}
    )
{%- endmacro %}


{#- The value of a column of the source beside its own, as _named_columns gives it, from the JSON text in other_columns. -#}
{% macro _other_value(column) -%}
    from_json(other_columns, 'map<string,string>')[{{ _text_literal(column.name) }}]
{%- endmacro %}
