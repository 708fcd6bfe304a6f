{#-
  The history's own record of what it holds lies in its table properties, so that a restore of the table, or a swap,
  brings the record along:
    strata.through: the last landed day that it holds; what is recorded later was left by a run that was killed
    strata.days: for each day taken, what was taken: content, share of the current purchases removed, share of the rows
      quarantined. A day that a variable has let in is thereby known as long as its content is the same
    strata.replay: the version of the table before a replay that has not come to its end
-#}
{% macro history_state(relation) %}
    {%- set properties = {} if relation is none else table_properties(relation) -%}
    {{ return({
        'through': properties.get('strata.through') or '',
        'days': fromjson(properties.get('strata.days') or '{}'),
        'replay': properties.get('strata.replay') or '',
    }) }}
{% endmacro %}


{% macro set_history_state(relation, state) %}
    {% do set_table_properties(relation, history_properties(state)) %}
{% endmacro %}


{% macro history_properties(state) %}
    {{ return({
        'strata.through': state.through, 'strata.days': tojson(state.days, sort_keys=true), 'strata.replay': state.replay,
    }) }}
{% endmacro %}


{#- Whether the history holds a day. -#}
{% macro holds(state, day) %}
    {{ return(day in state.days and day <= state.through) }}
{% endmacro %}


{#-
  The landed days of purchases, oldest first: a list of objects with
    day: the day, as text
    content, row_count, other_columns: of the delivery that raw holds; content none where raw holds none
    fault: a sentence's end on why the delivery cannot be taken, or none
    is_listed: whether there is a file of it in the landing folder
  and, before all others with the day none, the files that lie in no day's folder.
-#}
{% macro landed_days(meta) %}
    {%- set sql -%}
        with listed as (
            select
                landed_on,
                min(case when fault is not null then 'the file ' || path || ' cannot be taken: ' || fault end) as fault
            from {{ built_relation(built_node(meta.raw).config.meta.intake) }}
            where is_listed
            group by landed_on
        ),

        deliveries as (
            select * from {{ built_relation(meta.deliveries) }}
        )

        select
            cast(coalesce(listed.landed_on, deliveries.landed_on) as string) as day,
            deliveries.content,
            deliveries.row_count,
            to_json(deliveries.other_columns),
            coalesce(
                listed.fault,
                case
                    when deliveries.rows_landed <> deliveries.row_count
                        then format_string(
                            'of %d rows counted in its files %d were read', deliveries.rows_landed, deliveries.row_count
                        )
                end
            ) as fault,
            listed.fault is not null or listed.landed_on is not null as is_listed
        from listed
        full outer join deliveries on listed.landed_on = deliveries.landed_on
        order by day nulls first
    {%- endset -%}
    {%- set days = [] -%}
    {%- for row in run_query(sql) -%}
        {% do days.append({
            'day': row[0], 'content': row[1], 'row_count': row[2] | int, 'other_columns': fromjson(row[3] or '[]'),
            'fault': row[4], 'is_listed': row[5],
        }) %}
    {%- endfor -%}
    {{ return(days) }}
{% endmacro %}


{#-
  A query for the landed days that the history holds, `landed_on`; while it is rebuilt, those that it will hold.
-#}
{% macro history_days() -%}
    {%- set days = [] -%}
    {%- if execute -%}
        {%- set state = history_state(built_relation('purchases')) -%}
        {%- if env_var('STRATA_HISTORY', '') == 'rebuild' -%}
            {%- for landed in landed_days(built_node('purchases').config.meta)
                if landed.content is not none and (landed.is_listed or holds(state, landed.day)) -%}
                {% do days.append(landed.day) %}
            {%- endfor -%}
        {%- else -%}
            {%- for day in state.days if holds(state, day) -%}
                {% do days.append(day) %}
            {%- endfor -%}
        {%- endif -%}
    {%- endif -%}
    {%- if days -%}
    select landed_on from values (date'{{ days | sort | join("'), (date'") }}') as days (landed_on)
    {%- else -%}
    select cast(null as date) as landed_on where false
    {%- endif -%}
{%- endmacro %}


{#- The history's columns without a row. -#}
{% macro empty_history() -%}
    select
        cast(null as bigint) as purchase_id,
        cast(null as int) as product_id,
        cast(null as int) as user_id,
        cast(null as date) as purchased_on,
        cast(null as int) as year,
        cast(null as int) as month,
        cast(null as int) as day,
        cast(null as int) as version,
        cast(null as date) as valid_from,
        cast(null as date) as valid_to,
        cast(null as date) as recorded_on,
        cast(null as date) as closed_on
    where false
{%- endmacro %}


{#- The columns of a source beside its own that a version has, from its JSON text: `expression as column, ...`. -#}
{% macro other_values(names) -%}
    {%- for name in names -%}
        , from_json(other_columns, 'map<string,string>')[{{ text_literal(name) }}] as `{{ column_name(name) }}`
    {%- endfor -%}
{%- endmacro %}


{#-
  Take out what was recorded after the day `through` (all, where it is ''): what was opened later goes, what was closed
  later is open again. One commit. Returns nothing.
-#}
{% macro rewind_history(relation, through) %}
    {%- set after = "> date'" ~ through ~ "'" if through else 'is not null' -%}
    {% call statement('rewind_history') -%}
        merge into {{ relation }} as history
        using (select 1 as one) as always
        on history.recorded_on {{ after }} or history.closed_on {{ after }}
        when matched and history.recorded_on {{ after }} then delete
        when matched then update set valid_to = null, closed_on = null
    {%- endcall %}
{% endmacro %}


{#- Refuse, with a sentence; a replay under way is undone first. -#}
{% macro refuse(relation, state, sentence) %}
    {%- if state.replay -%}
        {% do run_query('restore table ' ~ relation ~ ' to version as of ' ~ state.replay) %}
    {%- endif -%}
    {% do exceptions.raise_compiler_error(
        sentence ~ (' The replay is undone, and the history is as it was before it.' if state.replay else '')
    ) %}
{% endmacro %}


{#-
  The gates of a day: a sentence when it may not be taken, else none. `figures` has current_count, removed_count,
  quarantined_row_count and row_count. What was once taken with the same content and the same fault stays in.
-#}
{% macro gate(day, figures, known) %}
    {%- set may_removed = var('max_removed_share') | float -%}
    {%- set may_quarantined = var('max_quarantined_share') | float -%}
    {%- set removed_share = share(figures.removed_count, figures.current_count) -%}
    {%- set quarantined_share = share(figures.quarantined_row_count, figures.row_count) -%}
    {%- set was_let_in = known is not none and known[0] == day.content -%}
    {%- if figures.row_count == 0 -%}
        {%- if not var('allow_empty_snapshot') and not was_let_in -%}
            {{ return(
                'The snapshot of ' ~ day.day ~ ' is empty, and would end all ' ~ figures.current_count
                ~ " current purchases: deliver it again, or take it as it is with --vars '{allow_empty_snapshot: true}'."
            ) }}
        {%- endif -%}
    {%- elif quarantined_share > may_quarantined and not (was_let_in and known[2] > may_quarantined) -%}
        {{ return(
            'Of the ' ~ figures.row_count ~ ' rows of ' ~ day.day ~ ' ' ~ figures.quarantined_row_count
            ~ ' are to be quarantined, more than max_quarantined_share (' ~ var('max_quarantined_share')
            ~ ") allows: deliver it again, or take it as it is with --vars '{max_quarantined_share: 1}'."
        ) }}
    {%- elif removed_share > may_removed and not (was_let_in and known[1] > may_removed) -%}
        {{ return(
            'The snapshot of ' ~ day.day ~ ' lacks ' ~ figures.removed_count ~ ' of the ' ~ figures.current_count
            ~ ' current purchases, more than max_removed_share (' ~ var('max_removed_share')
            ~ ") allows: deliver it again, or take it as it is with --vars '{max_removed_share: 1}'."
        ) }}
    {%- endif -%}
    {{ return(none) }}
{% endmacro %}


{% macro share(part, whole) %}
    {{ return(part / whole if whole else 0) }}
{% endmacro %}


{#- What the history keeps of a day that it takes (see history_state); the largest shares of the same content stay. -#}
{% macro taken(day, figures, known) %}
    {%- set before = known if known is not none and known[0] == day.content else [day.content, 0, 0] -%}
    {{ return([
        day.content,
        [before[1], share(figures.removed_count, figures.current_count)] | max,
        [before[2], share(figures.quarantined_row_count, figures.row_count)] | max,
    ]) }}
{% endmacro %}


{#-
  Take one landed day into the history: `sql` gives the purchases of every landed day, `current_count` says how many are current
  before it, `strategy` is dbt's check strategy.
  Returns the counts opened_count and closed_count, or none where a refused day whose folder has gone is left out.
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
    {%- set figures = {
        'removed_count': row[2] | int, 'quarantined_row_count': row[3] | int, 'row_count': day.row_count,
        'current_count': current_count,
    } -%}
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
        {%- set names = [] -%}
        {%- for name in day.other_columns -%}
            {% do names.append(column_name(name)) %}
        {%- endfor -%}
        {% do add_columns(relation, names) if names %}
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
        {%- for name in day.other_columns %}, `{{ column_name(name) }}`{% endfor %}
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
        {%- for name in day.other_columns %}, change.`{{ column_name(name) }}`{% endfor %}
    )
{%- endmacro %}


{#- The names, as landed, of the source's other columns that the history carries. -#}
{% macro carried_names() %}
    {%- if not execute -%}
        {{ return([]) }}
    {%- endif -%}
    {%- set rows = run_query(
        'select distinct explode(other_columns) as name from ' ~ built_relation('purchase_deliveries') ~ ' order by name'
    ) -%}
    {%- set there = adapter.get_columns_in_relation(built_relation('purchases')) | map(attribute='name') | list -%}
    {%- set names = [] -%}
    {%- for row in rows if column_name(row[0]) in there -%}
        {% do names.append(row[0]) %}
    {%- endfor -%}
    {{ return(names) }}
{% endmacro %}


{#-
  Their values as an array of texts, of the history's own columns, or of the JSON text in the column `json`.
-#}
{% macro carried_values(json=none) -%}
    {%- set values = [] -%}
    {%- for name in carried_names() -%}
        {% do values.append(
            '`' ~ column_name(name) ~ '`' if json is none
            else 'from_json(' ~ json ~ ", 'map<string,string>')[" ~ text_literal(name) ~ ']'
        ) %}
    {%- endfor -%}
    array({{ values | join(', ') }})
{%- endmacro %}


{#- Whether the history is compared with its second derivation: as verify_history says, else up to 2,000,000 landed rows. -#}
{% macro is_history_verified() -%}
    {%- if var('verify_history') is not none -%}
        {{ var('verify_history') | lower }}
    {%- elif not execute -%}
        true
    {%- else -%}
        {{ run_query(
            'select coalesce(sum(row_count), 0) <= 2000000 from ' ~ built_relation('purchase_deliveries')
        )[0][0] | lower }}
    {%- endif -%}
{%- endmacro %}


{#-
  Put the history that the model `meta.rebuilt` derives from raw in the place of what is there, in one commit, when the
  gates let every day of it in; else refuse, with everything as it was.
-#}
{% macro rebuild_history(relation, state, meta) %}
    {%- set days = landed_days(meta) -%}
    {% do check_held_days(relation, {'through': '', 'days': {}}, days, '0001-01-01') %}
    {%- set rebuilt_days = [] -%}
    {%- for landed in days if landed.content is not none and (landed.is_listed or holds(state, landed.day)) -%}
        {% do rebuilt_days.append(landed) %}
    {%- endfor -%}
    {%- set rebuilt = 'rebuilt_purchases__' ~ relation.schema -%}
    {% do run_query('drop view if exists ' ~ rebuilt) %}
    {% call statement('rebuild') -%}
        cache table {{ rebuilt }} as select * from {{ place_of(meta.rebuilt) }}
    {%- endcall %}
    {%- set new_days = {} -%}
    {%- set figures_by_day = rebuilt_figures(rebuilt) -%}
    {%- set quarantined = quarantined_row_counts(rebuilt_days, state) -%}
    {%- set current = namespace(count=0) -%}
    {%- set names = [] -%}
    {%- for day in rebuilt_days -%}
        {%- set counts = figures_by_day.get(day.day, {'opened': 0, 'closed': 0, 'removed': 0}) -%}
        {%- set figures = {
            'removed_count': counts.removed, 'current_count': current.count, 'row_count': day.row_count,
            'quarantined_row_count': quarantined.get(day.day, 0),
        } -%}
        {%- set known = state.days.get(day.day) -%}
        {%- set refusal = gate(day, figures, known) -%}
        {%- if refusal is not none -%}
            {% do run_query('drop view if exists ' ~ rebuilt) %}
            {% do refuse(relation, {}, refusal) %}
        {%- endif -%}
        {% do new_days.update({day.day: taken(day, figures, known)}) %}
        {%- set current.count = current.count + counts.opened - counts.closed -%}
        {%- for name in day.other_columns if name not in names -%}
            {% do names.append(name) %}
        {%- endfor -%}
    {%- endfor -%}
    {%- set sql -%}
        select * except (other_columns) {{- other_values(names) }} from {{ rebuilt }}
    {%- endset -%}
    {% do create_delta_table(
        model, relation, sql,
        history_properties({
            'through': rebuilt_days[-1].day if rebuilt_days else '', 'days': new_days, 'replay': '',
        }),
        replace=true
    ) %}
    {% do run_query('drop view if exists ' ~ rebuilt) %}
    {{ log('The history of ' ~ rebuilt_days | length ~ ' days is rebuilt: ' ~ current.count ~ ' current purchases.', info=True) }}
{% endmacro %}


{#- Of a history in the relation `rebuilt`, by day: how many versions it opens, closes and removes. -#}
{% macro rebuilt_figures(rebuilt) %}
    {%- set sql -%}
        select cast(landed_on as string), sum(opened), sum(closed), sum(removed)
        from (
            select inline(array(
                struct(recorded_on as landed_on, 1 as opened, 0 as closed, 0 as removed),
                struct(closed_on as landed_on, 0 as opened, 1 as closed, is_removed as removed)
            ))
            from (
                select
                    recorded_on,
                    closed_on,
                    if(
                        lead(recorded_on) over (partition by purchase_id order by version) <=> closed_on, 0, 1
                    ) as is_removed
                from {{ rebuilt }}
            )
        )
        where landed_on is not null
        group by landed_on
    {%- endset -%}
    {%- set figures = {} -%}
    {%- for row in run_query(sql) -%}
        {% do figures.update({row[0]: {'opened': row[1] | int, 'closed': row[2] | int, 'removed': row[3] | int}}) %}
    {%- endfor -%}
    {{ return(figures) }}
{% endmacro %}


{#- By day, how many rows of it are quarantined, for those days that the history did not take with the same content. -#}
{% macro quarantined_row_counts(days, state) %}
    {%- set new_days = [] -%}
    {%- for day in days if state.days.get(day.day, [none])[0] != day.content -%}
        {% do new_days.append(day.day) %}
    {%- endfor -%}
    {%- set counts = {} -%}
    {%- if new_days -%}
        {%- set sql -%}
            select cast(landed_on as string), sum(row_count)
            from ({{ model.compiled_code }})
            where is_quarantined and ({{ scope_predicate({'days': new_days}, 'landed_on') }})
            group by landed_on
        {%- endset -%}
        {%- for row in run_query(sql) -%}
            {% do counts.update({row[0]: row[1] | int}) %}
        {%- endfor -%}
    {%- endif -%}
    {{ return(counts) }}
{% endmacro %}
