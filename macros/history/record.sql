{#-
  The history's own record of what it holds. Three of its table properties, so that a restore of the table, or a swap, brings
  the record along:
    strata.through: the last landed day that it holds; what is recorded later was left by a run that was killed
    strata.generation: which rows of stage.history_days are its record: a row for each day taken, with what was taken:
      content, share of the current rows removed, share of the rows quarantined. A day that a variable has let in is
      thereby known as long as its content is the same. Days after strata.through are known, and not held
    strata.replay: the version of the table before a replay that has not come to its end
  No version of the history that there ever was loses its rows: a replay and a rebuild begin a generation, and so does
  what would change a row that a restore may bring back.
-#}
{% macro _history_state(relation) %}
    {%- set properties = {} if relation is none else _table_properties(relation) -%}
    {{ return({
        'name': none if relation is none else relation.identifier,
        'days': _built_relation('history_days') or _place_of('history_days'),
        'through': properties.get('strata.through') or '',
        'generation': properties.get('strata.generation') or '0',
        'replay': properties.get('strata.replay') or '',
        'days_as_text': '' if properties.get('strata.generation') else properties.get('strata.days') or '',
    }) }}
{% endmacro %}


{#-
  Take over the record of a history made before it was a table of its own: one text, in the property strata.days. Called by
  whatever comes first, the table of the record or the snapshot.
-#}
{% macro take_over_days_as_text() %}
    {%- for source in _declared_sources('daily_snapshot') if execute and _built_node(source.name) -%}
        {%- set relation = load_relation(_place_of(source.name)) -%}
        {%- set state = _history_state(relation) -%}
        {%- if state.days_as_text -%}
            {% do _begin_generation(state) %}
            {% do state.update({'days_as_text': ''}) %}
            {% do _set_history_state(relation, state) %}
            {% do run_query('alter table ' ~ relation ~ " unset tblproperties if exists ('strata.days')") %}
        {%- endif -%}
    {%- endfor -%}
{% endmacro %}


{#- Write the state of a history into the properties of its table, in one commit. -#}
{% macro _set_history_state(relation, state) %}
    {% do _set_table_properties(relation, _history_properties(state)) %}
{% endmacro %}


{#- The state of a history as table properties, for a table that is made with them. -#}
{% macro _history_properties(state) %}
    {{ return({
        'strata.through': state.through, 'strata.generation': state.generation, 'strata.replay': state.replay,
    }) }}
{% endmacro %}


{#- The columns of the record, without a row. -#}
{% macro no_history_days() -%}
    select
        cast(null as string) as history,
        cast(null as bigint) as generation,
        cast(null as date) as landed_on,
        cast(null as string) as content,
        cast(null as double) as removed_share,
        cast(null as double) as quarantined_share
    where false
{%- endmacro %}


{#- The rows of a history's record; none before it has one. -#}
{% macro _known_days(state) -%}
    {%- if state.days_as_text -%}
    {{ _days_of_json(state, '0', state.days_as_text) }}
    {%- elif state.generation == '0' -%}
    {{ no_history_days() }}
    {%- else -%}
    select * from {{ state.days }}
    where history = {{ _text_literal(state.name) }} and generation = {{ state.generation }}
    {%- endif -%}
{%- endmacro %}


{#- Rows of the record from a JSON text: for each day a list of content, share removed and share quarantined. -#}
{% macro _days_of_json(state, generation, text) -%}
    select
        {{ _text_literal(state.name) }} as history,
        cast({{ generation }} as bigint) as generation,
        date(day) as landed_on,
        taken[0] as content,
        cast(taken[1] as double) as removed_share,
        cast(taken[2] as double) as quarantined_share
    from (select explode(from_json({{ _text_literal(text) }}, 'map<string, array<string>>')) as (day, taken))
{%- endmacro %}


{#-
  Begin a generation of the record: with the rows of the one before, or with `days`, for each day a list of content, share
  removed and share quarantined. The history takes it on when its state is set.
-#}
{% macro _begin_generation(state, days=none) %}
    {%- set next = run_query(
        'select coalesce(max(generation), 0) + 1 from ' ~ state.days ~ ' where history = ' ~ _text_literal(state.name)
    )[0][0] | string -%}
    {%- set sql -%}
        insert into {{ state.days }} (history, generation, landed_on, content, removed_share, quarantined_share)
        {% if days is none -%}
        select history, {{ next }} as generation, landed_on, content, removed_share, quarantined_share
        from ({{ _known_days(state) }})
        {%- else -%}
        {{ _days_of_json(state, next, tojson(days)) }}
        {%- endif %}
    {%- endset -%}
    {%- if days or (days is none and (state.days_as_text or state.generation != '0')) -%}
        {% do run_query(sql) %}
    {%- endif -%}
    {% do state.update({'generation': next}) %}
{% endmacro %}


{#-
  Record a day: what was taken of it. With the first day of each month its year is written anew as one file, so that the
  record is read from few; the others are appended, at a third of the time. A row that a restored version of the history
  may stand on is not changed: then a generation begins.
-#}
{% macro _record_day(state, day, known, taken) %}
    {%- if state.generation == '0' or (known is not none and known[0] != day.content and not state.replay) -%}
        {% do _begin_generation(state) %}
    {%- endif -%}
    {%- set year -%}
        history = {{ _text_literal(state.name) }} and generation = {{ state.generation }}
        and landed_on >= date'{{ day.day[:4] }}-01-01' and landed_on <= date'{{ day.day[:4] }}-12-31'
    {%- endset -%}
    {%- set is_appended = known is none and not day.day.endswith('-01') -%}
    {%- set row -%}
        select
            {{ _text_literal(state.name) }} as history,
            {{ state.generation }} as generation,
            date'{{ day.day }}' as landed_on,
            {{ _text_literal(taken[0]) }} as content,
            double({{ taken[1] }}) as removed_share,
            double({{ taken[2] }}) as quarantined_share
    {%- endset -%}
    {% call statement('record_day') -%}
        insert into {{ state.days }}
        {%- if is_appended %}
        {{ row }}
        {%- else %}
        replace where {{ year }}
        select /*+ coalesce(1) */ * from (
            select * from {{ state.days }}
            where {{ year }} and landed_on <> date'{{ day.day }}'
            union all
            {{ row }}
        )
        {%- endif %}
    {%- endcall %}
{% endmacro %}


{#- A query for the landed days that the history of a source holds, `landed_on`. -#}
{% macro history_days(name) -%}
    {%- if not execute or _built_relation(name) is none -%}
    select cast(null as date) as landed_on where false
    {%- else -%}
        {%- set state = _history_state(_built_relation(name)) -%}
        {%- if state.through -%}
    select landed_on from ({{ _known_days(state) }})
    where landed_on <= date'{{ state.through }}'
        {%- else -%}
    select cast(null as date) as landed_on where false
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}
