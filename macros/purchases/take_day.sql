{#- Take what is pending; see the materialization for the modes. -#}
{% macro take_pending_days(relation, state, days, mode, sql) %}
    {%- set replay_from = env_var('STRATA_REPLAY_FROM', '') if mode == 'replay' else '' -%}
    {%- if mode == 'replay' and not days | selectattr('day', 'ge', replay_from) | list -%}
        {% do exceptions.raise_compiler_error('No snapshot has landed on ' ~ replay_from ~ ' or later: the last is of '
            ~ (days[-1].day if days else 'no day') ~ '.') %}
    {%- endif -%}
    {% do check_held_days(state, days, replay_from) %}
    {%- set named = var('snapshot_date') | string if var('snapshot_date') and not mode else none -%}
    {%- if named is not none and named not in days | map(attribute='day') -%}
        {% do exceptions.raise_compiler_error('No snapshot of ' ~ named ~ ' has landed in ' ~ env_var('STRATA_LANDING')
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
        {% do exceptions.raise_compiler_error('The snapshot of ' ~ pending[0].day ~ ' is older than that of ' ~ named
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

    {% do rewind_history(relation, state) %}
    {%- set strategy = strategy_dispatch('check')(model, 'current_version', 'delivered', config, true) -%}
    {%- set current = namespace(count=run_query('select count(*) from ' ~ relation ~ ' where valid_to is null')[0][0] | int) -%}
    {%- set taken_days = [] -%}
    {%- for day in pending -%}
        {%- if mode or not taken_days -%}
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
                {% do taken_days.append(day.day) %}
                {%- set current.count = current.count + counts.opened_count - counts.closed_count -%}
                {{ log(day.day ~ ': ' ~ counted(counts.opened_count, 'version') ~ ' opened, ' ~ counts.closed_count
                    ~ ' closed; ' ~ counted(left, 'day') ~ ' left.', info=True) }}
            {%- endif -%}
        {%- endif -%}
    {%- endfor -%}
{% endmacro %}


{#- A count with its noun: 1 day, 2 days. -#}
{% macro counted(count, noun) -%}
    {{ return(count ~ ' ' ~ noun ~ ('' if count == 1 else 's')) }}
{% endmacro %}


{#-
  Take one landed day into the history: `sql` gives the purchases of every landed day, `current_count` says how many are
  current before it, `strategy` is dbt's check strategy. Returns the counts opened_count and closed_count, or none where a
  refused day whose folder has gone is left out.
-#}
{% macro take_day(relation, state, day, current_count, strategy, sql) %}
    {%- set changes = 'purchase_changes__' ~ relation.schema -%}
    {% do run_query('drop view if exists ' ~ changes) %}
    {% call statement('compare_day') -%}
        cache table {{ changes }} as
        {{ changed_purchases(relation, strategy, day.day, sql) }}
    {%- endcall %}
    {%- set row = run_query(
        "select count_if(kind in ('opened', 'modified')), count_if(kind in ('modified', 'removed')),"
        ~ " count_if(kind = 'removed'), coalesce(sum(case when kind = 'quarantined' then row_count end), 0)"
        ~ ' from ' ~ changes
    )[0] -%}
    {%- set opened_count, closed_count = row[0], row[1] -%}
    {%- set figures = day_figures(day.row_count, row[3] | int, current_count, row[2] | int) -%}
    {%- set known = state.days.get(day.day) -%}
    {%- set refusal = gate(day, figures, known) -%}
    {%- if refusal is not none -%}
        {% do run_query('drop view if exists ' ~ changes) %}
        {%- if not day.is_listed -%}
            {{ log('The snapshot of ' ~ day.day ~ ', whose folder has gone, is left out. ' ~ refusal, info=True) }}
            {{ return(none) }}
        {%- endif -%}
        {% do refuse(relation, state, refusal) %}
    {%- endif -%}
    {%- if opened_count or closed_count -%}
        {% do add_columns(relation, named_columns(day.other_columns)) %}
        {% call statement('take_day') -%}
            {{ merge_changed_purchases(relation, changes, strategy, day) }}
        {%- endcall %}
    {%- endif -%}
    {% do run_query('drop view if exists ' ~ changes) %}
    {% do state.days.update({day.day: taken(day, figures, known)}) %}
    {% do state.update({'through': day.day}) %}
    {{ return({'opened_count': opened_count, 'closed_count': closed_count}) }}
{% endmacro %}


{#-
  The purchases that a day changes, by kind: `opened` (new, or back again), `modified`, `removed`, and `quarantined`
  (left as they are); the unchanged ones are not among them. One pass over the day and the current versions.

  The day comes in as a row, not as a literal: Spark writes literals into the code that it generates, and would compile
  it anew for each day.
-#}
{% macro changed_purchases(relation, strategy, day, sql) -%}
    with delivered as (
        select * from ({{ sql }})
        where landed_on = date'{{ day }}'
    ),

    current_version as (
        select * from {{ relation }}
        where valid_to is null
    ),

    compared as (
        select
            coalesce(delivered.purchase_id, current_version.purchase_id) as purchase_id,
            delivered.* except (purchase_id),
            taken.taken_on,
            current_version.version as current_number,
            current_version.valid_from as current_valid_from,
            case
                when delivered.is_quarantined
                    then 'quarantined'
                when delivered.landed_on is null
                    then 'removed'
                when current_version.purchase_id is null
                    then 'opened'
                when {{ strategy.row_changed }}
                    then 'modified'
            end as kind
        from delivered
        full outer join current_version on delivered.{{ strategy.unique_key }} = current_version.{{ strategy.unique_key }}
        cross join values (date'{{ day }}') as taken (taken_on)
    ),

    changed as (
        select * from compared
        where kind is not null
    ),

    -- Of purchases that come back, the versions that they had.
    ended as (
        select
            purchase_id,
            max(version) as last_number,
            max(valid_to) as last_valid_to
        from {{ relation }}
        where valid_to is not null
        group by purchase_id
    )

    select
        changed.*,
        ended.last_number,
        ended.last_valid_to
    from changed
    left join ended on changed.purchase_id = ended.purchase_id and changed.kind = 'opened'
{%- endmacro %}


{#-
  Close and open versions of a table by what changed_purchases() gave, in one commit.

  No `with` here, nor wherever a cached query is read: inside of one Spark 4.1 does not find the query in its cache, and
  evaluates it again.
-#}
{% macro merge_changed_purchases(relation, changes, strategy, day) -%}
    merge into {{ relation }} as history
    using (
        select
            dated.*,
            steps.step,
            if(steps.step = 'close', dated.purchase_id, null) as closed_purchase_id
            {{- other_values(day.other_columns) }}
        from (
            select
                *,
                case
                    when kind = 'removed'
                        then taken_on
                    when kind = 'modified' and purchased_on > current_valid_from
                        then purchased_on
                    when kind = 'opened' and purchased_on >= coalesce(last_valid_to, purchased_on)
                        then purchased_on
                    else taken_on
                end as changed_from,
                coalesce(current_number, last_number, 0) + 1 as version
            from {{ changes }}
            where kind <> 'quarantined'
        ) as dated
        inner join values ('removed', 'close'), ('modified', 'close'), ('modified', 'open'), ('opened', 'open')
            as steps (kind, step)
            on dated.kind = steps.kind
    ) as change
    on history.purchase_id = change.closed_purchase_id and history.valid_to is null
    when matched then update set valid_to = change.changed_from, closed_on = change.taken_on
    when not matched and change.step = 'open' then insert (
        purchase_id, product_id, user_id, purchased_on, year, month, day, version, valid_from, recorded_on
        {%- for column in named_columns(day.other_columns) %}, `{{ column.column_name }}`{% endfor %}
    )
    values (
        change.purchase_id,
        change.product_id,
        change.user_id,
        change.purchased_on,
        year(change.purchased_on),
        month(change.purchased_on),
        day(change.purchased_on),
        change.version,
        change.changed_from,
        change.taken_on
        {%- for column in named_columns(day.other_columns) %}, change.`{{ column.column_name }}`{% endfor %}
    )
{%- endmacro %}


{#- The columns of a source beside its own that a version has, from its JSON text: `expression as column, ...`. -#}
{% macro other_values(names) -%}
    {%- for column in named_columns(names) -%}
        , from_json(other_columns, 'map<string,string>')[{{ text_literal(column.name) }}] as `{{ column.column_name }}`
    {%- endfor -%}
{%- endmacro %}
